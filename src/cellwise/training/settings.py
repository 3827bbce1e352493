"""The `[training]` table of a configuration: what the loop can be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cellwise.tasks.base import Section

OptimizerName = Literal["adam", "adamw", "adagrad", "sgd"]
ScheduleName = Literal["constant", "cosine", "linear", "plateau", "step", "inverse_sqrt"]
AveragingName = Literal["none", "exponential", "stochastic"]
PrecisionName = Literal["float32", "bfloat16", "float16"]

FIXED_ON_RESUME = ("batch_size", "accumulate", "optimizer", "seed")
"""What a run that goes on must keep: its position and its optimiser's state depend on it."""


class TrainingConfig(Section):
    """How a model is trained; every field has a default that is a fair start."""

    epochs: int = Field(10, ge=1, description="how often every training example is seen")
    batch_size: int = Field(64, ge=1, description="examples in a batch (in each process)")
    accumulate: int = Field(
        1, ge=1, description="batches whose gradients together make one step: a larger batch"
    )
    optimizer: OptimizerName = Field("adam", description="'adam', 'adamw', 'adagrad' or 'sgd'")
    learning_rate: float = Field(
        1e-3, gt=0, allow_inf_nan=False, description="the highest learning rate of the schedule"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="the momentum of 'sgd'; 0: none")
    weight_decay: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="pulls matrices, not biases, to zero: decoupled in adamw, else in the loss",
    )
    schedule: ScheduleName = Field(
        "cosine",
        description="after the warm-up: 'constant', 'cosine' or 'linear' down to zero at the end, "
        "'plateau' (halved whenever the dev metric does not improve), 'step' (multiplied by decay "
        "after every epoch from decay_after on), 'inverse_sqrt' of the step",
    )
    decay: float = Field(
        0.5, gt=0, le=1, description="what schedule 'step' multiplies the learning rate by"
    )
    decay_after: int = Field(
        4, ge=0, description="epochs at the full learning rate before schedule 'step' sets in"
    )
    warmup_steps: int = Field(
        0, ge=0, description="steps over which the learning rate rises to full"
    )
    clip_norm: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="longer gradients are shortened to this; 0: never",
    )
    patience: int = Field(
        0, ge=0, description="stop after so many evaluations without a better dev metric; 0: never"
    )
    max_minutes: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="stop training after so many minutes; 0: no limit",
    )
    averaging: AveragingName = Field(
        "none",
        description="weights to evaluate and save: 'none' (the last), or their average, "
        "'exponential' over steps or 'stochastic' (SWA: plain, over the ends of epochs)",
    )
    averaging_decay: float = Field(
        0.999, gt=0, lt=1, description="the share of the old average that a step keeps: exponential"
    )
    averaging_start: float = Field(
        0.5, ge=0, lt=1, description="the share of the training before averaging begins"
    )
    precision: PrecisionName = Field(
        "float32",
        description="of products in training: 'float32', 'bfloat16', 'float16' (CUDA only); "
        "weights are float32",
    )
    seed: int = Field(1, ge=0, lt=2**63, description="fixes first weights, order and dropout")
    evaluate_examples: int = Field(
        0, ge=0, description="dev examples, drawn once, that judge the model; 0: all of them"
    )
    evaluate_steps: int = Field(
        0, ge=0, description="steps between evaluations inside an epoch (each ends with one); 0: no"
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?|xpu(:\d+)?)$",
        examples=["auto", "cpu", "cuda", "cuda:1", "mps", "xpu"],
        description="'auto' (an accelerator if there is one), 'cpu', 'cuda', 'cuda:1', 'mps'",
    )
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="threads of the CPU's work, of all processes; 0: as torch chooses",
    )
    processes: int = Field(
        1, ge=1, description="processes that train together, each with its own batches"
    )
    log_every: int = Field(50, ge=1, description="steps between two lines of metrics.jsonl")
    save_minutes: float = Field(
        5.0,
        gt=0,
        description="minutes between checkpoints inside an epoch (each epoch saves as well)",
    )
    tensorboard: bool = Field(
        True, description="also write curves for TensorBoard, when it is installed"
    )
