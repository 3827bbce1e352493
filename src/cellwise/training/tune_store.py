"""Where the trials of searches are stored: an SQLite file in the search's folder, or a database."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellwise.errors import ConfigError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage

OWN_NAME = "tune"
"""The name of the study in a store of its own."""

LOCK_SECONDS = 60
"""How long a process waits for another one that writes into the same SQLite file."""

RECORD = "search"
"""The attribute of a study that says what is searched."""


def optuna_library() -> Any:
    """Optuna, without its log of every trial.

    Raises:
        ConfigError: it is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError("a search needs the library optuna: pip install 'cellwise[tune]'")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def open_store(folder: Path, url: str) -> RDBStorage:
    """The store at a URL, as SQLAlchemy reads it; without one, study.db in the folder.

    Raises:
        ConfigError: it cannot be opened.
    """
    library = optuna_library()
    from sqlalchemy.exc import SQLAlchemyError

    own = f"sqlite:///{(folder / 'study.db').resolve()}"
    options = {} if url else {"connect_args": {"timeout": LOCK_SECONDS}}
    try:
        made: RDBStorage = library.storages.RDBStorage(url or own, engine_kwargs=options)
    except (SQLAlchemyError, ImportError, ValueError, RuntimeError) as error:
        where = "--storage" if url else f"{folder / 'study.db'}"
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise ConfigError(f"{where} cannot be opened as a store of trials: {cause}") from error
    return made


def close_store(store: RDBStorage) -> None:
    """Let go of what the store holds open."""
    store.remove_session()
    store.engine.dispose()


def study_name(folder: Path, url: str) -> str:
    """The name of the study of the search in a folder, among others if there is a URL."""
    return folder.resolve().name if url else OWN_NAME


def has_study(store: RDBStorage, name: str) -> bool:
    """Whether a store holds a study of this name."""
    return name in optuna_library().get_all_study_names(store)


def record_of(study: Study) -> dict[str, Any]:
    """What a study searches.

    Raises:
        ConfigError: it was made by something else.
    """
    record: dict[str, Any] | None = study.user_attrs.get(RECORD)
    if record is None:
        raise ConfigError(f"the study '{study.study_name}' is none that `cellwise tune` made")
    return record


def saved_record(folder: Path, *, storage: str = "") -> dict[str, Any]:
    """What the search in a folder searches, as its `record` said.

    Raises:
        ConfigError: there is no search.
    """
    if not storage and not (folder / "study.db").is_file():
        raise ConfigError(
            f"{folder} holds no search to go on with: it has no study.db. Give the configuration "
            "and --out, or the --storage that was used"
        )
    store, name = open_store(folder, storage), study_name(folder, storage)
    try:
        if not has_study(store, name):
            raise ConfigError(f"the storage holds no search called '{name}'")
        return record_of(optuna_library().load_study(study_name=name, storage=store))
    finally:
        close_store(store)
