"""BasicSR's own sections: the types and ranges of what they hold; ``stock_keys`` says what they may hold beside."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from s3net_plugin.utils.errors import OptionError
from s3net_plugin.utils.schema import Section

# A float such as 5.0e+3 counts, as BasicSR's files write it.
_COUNT = 'a number of iterations, at least'


def _whole_numbers(smallest: int) -> Any:
    def check(values: list[float]) -> list[float]:
        if any(value < smallest or value != int(value) for value in values):
            raise OptionError('', f'{values!r} are not numbers of iterations, at least {smallest}')
        return values

    return AfterValidator(check)


_FLAG = Field(False, description='true or false')
_NUMBERS = 'a list of numbers'
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class StockSection(Section):
    """A section in which BasicSR passes over what it does not know."""

    model_config = ConfigDict(extra='ignore')


class Top(StockSection):
    """What stands at the top of a file, beside its sections."""

    name: Any
    model_type: Any
    num_gpu: Literal['auto'] | Annotated[int, Field(ge=0)] = Field(description="'auto' or a number of GPUs")
    datasets: dict[Any, Any] = Field(description='a section of options')
    path: dict[Any, Any] = Field(description='a section of options')
    scale: float | None = Field(None, ge=1, multiple_of=1, description='a number, at least 1')
    manual_seed: int | None = Field(None, ge=0, lt=2**31, description='a whole number from 0 to 2147483647')


class DistParams(StockSection):
    """``dist_params``."""

    backend: str | None = Field(None, description='the name of a backend')
    port: int | None = Field(None, description='a number')


class Logger(StockSection):
    """``logger``."""

    print_freq: float = Field(ge=1, multiple_of=1, description=f'{_COUNT} 1')
    save_checkpoint_freq: float = Field(ge=1, multiple_of=1, description=f'{_COUNT} 1')
    use_tb_logger: bool = Field(description='true or false')


class Train(StockSection):
    """``train``, without losses, optimizers and the scheduler."""

    total_iter: float = Field(ge=1, multiple_of=1, description=f'{_COUNT} 1')
    warmup_iter: float | None = Field(None, ge=-1, multiple_of=1, description=f'{_COUNT} -1')
    ema_decay: float | None = Field(
        None, ge=0, lt=1, description='a number from 0 (no average) to below 1, such as 0.999'
    )
    optim_g: dict[Any, Any] = Field(description='a section of options')
    scheduler: dict[Any, Any] = Field(description='a section of options')


class Scheduler(StockSection):
    """``train:scheduler``, whose other options its class checks."""

    type: Literal['MultiStepLR', 'MultiStepRestartLR', 'CosineAnnealingRestartLR']
    milestones: Annotated[list[_Finite], _whole_numbers(0)] = Field([], description=_NUMBERS)
    periods: Annotated[list[_Finite], _whole_numbers(1)] = Field([], description=_NUMBERS)
    restarts: Annotated[list[_Finite], _whole_numbers(0)] = Field([], description=_NUMBERS)
    restart_weights: list[_Finite] = Field([], description=_NUMBERS)
    gamma: float = Field(0.1, allow_inf_nan=False, description='a number')
    eta_min: float = Field(0, allow_inf_nan=False, description='a number')


class Val(StockSection):
    """``val``; a test needs no ``val_freq``."""

    val_freq: float | None = Field(None, ge=1, multiple_of=1, description=f'{_COUNT} 1')
    save_img: bool = Field(description='true or false')
    pbar: bool = _FLAG


class Metric(StockSection):
    """What BasicSR reads of a metric's section, and what is known of its own metrics' options."""

    type: Any
    better: Literal['higher', 'lower'] = Field('higher', description='higher or lower')
    crop_border: int = Field(0, ge=0, description='a whole number of pixels, at least 0')
    test_y_channel: bool = _FLAG
    input_order: Literal['HWC'] = Field('HWC', description='HWC, which validation hands over; leave it out')
