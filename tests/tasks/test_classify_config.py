import pytest

from cellwise.data.labelled import Layout
from cellwise.data.labelled_rows import Columns
from cellwise.errors import ConfigError
from cellwise.tasks.classify_config import ClassifyData
from cellwise.training.complaints import build_section


def test_columns_are_one_or_several_by_name_or_number():
    assert ClassifyData().layout() == Layout("tsv", Columns(("text",), "label"))
    data = ClassifyData(text_column=[2, "body"], label_column=1, multi_label=True)
    assert data.layout() == Layout("tsv", Columns((2, "body"), 1), separator=",")


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        (
            "encoding",
            "utf-16",
            "the name of an encoding that ends lines as ASCII does, such as utf-8 or latin-1",
        ),
        (
            "encoding",
            "latin-one",
            "the name of an encoding that ends lines as ASCII does, such as utf-8 or latin-1",
        ),
        (
            "encoding",
            "base64",
            "the name of an encoding that ends lines as ASCII does, such as utf-8 or latin-1",
        ),
        ("format", "xml", "one of 'tsv', 'csv', 'jsonl', 'folders', 'trec' or 'trees'"),
    ],
)
def test_what_is_not_accepted_is_said(key, value, wanted):
    with pytest.raises(ConfigError) as error:
        build_section(ClassifyData, {key: value}, name="data", source="my.toml")
    assert str(error.value) == f"my.toml: 'data.{key}' is \"{value}\", but must be {wanted}"


def test_columns_are_counted_from_one():
    with pytest.raises(ConfigError) as error:
        build_section(ClassifyData, {"label_column": 0}, name="data", source="my.toml")
    assert str(error.value) == (
        "my.toml: 'data.label_column' is 0, but must be a value of at least 1 or a text in quotes"
    )
