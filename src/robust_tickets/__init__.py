"""Draw, transfer, verify and shrink lottery tickets of pretrained networks.

```python
import robust_tickets as rt

ticket = rt.draw("timm/resnet18", sparsity=0.9)
result = rt.transfer(ticket, data="path/to/images")
verdict = rt.verify(result, against="dense")
rt.shrink(result, "model.onnx")       # or a folder, which rt.load("folder") reads again
```

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from robust_tickets.foundation.notebook import write_notebooks_in

if TYPE_CHECKING:
    from robust_tickets.data.load import load_data
    from robust_tickets.data.settings import DataSettings
    from robust_tickets.foundation.errors import UserError
    from robust_tickets.integrations.masked import masked
    from robust_tickets.models.folders import load
    from robust_tickets.models.network import Network
    from robust_tickets.models.pixels import Pixels
    from robust_tickets.models.settings import SourceSettings
    from robust_tickets.models.sources import Source, load_source
    from robust_tickets.pipeline.run import run
    from robust_tickets.recipe import Recipe, load_recipe
    from robust_tickets.runtime.load import load_runtime
    from robust_tickets.ticket.ticket import Ticket
    from robust_tickets.training.settings import Training
    from robust_tickets.verbs.analyse import analyse
    from robust_tickets.verbs.analyse_settings import AnalyseSettings
    from robust_tickets.verbs.check import check
    from robust_tickets.verbs.draw import draw, draw_all
    from robust_tickets.verbs.draw_settings import DrawSettings
    from robust_tickets.verbs.evaluate import evaluate
    from robust_tickets.verbs.export import export
    from robust_tickets.verbs.find import find
    from robust_tickets.verbs.find_settings import FindSettings
    from robust_tickets.verbs.gap import gap
    from robust_tickets.verbs.predict.predict import predict
    from robust_tickets.verbs.pretrain import pretrain
    from robust_tickets.verbs.reopen import load_transfer
    from robust_tickets.verbs.restore import Restored, restore
    from robust_tickets.verbs.restore_settings import RestoreSettings
    from robust_tickets.verbs.search import Searched, search
    from robust_tickets.verbs.search_settings import SearchSettings
    from robust_tickets.verbs.shrink import shrink
    from robust_tickets.verbs.transfer import Transfer, transfer
    from robust_tickets.verbs.transfer_settings import TransferSettings
    from robust_tickets.verbs.verify import Verdict, verify
    from robust_tickets.verbs.verify_settings import VerifySettings

_HOME = {
    "AnalyseSettings": "verbs.analyse_settings",
    "Network": "models.network",
    "DataSettings": "data.settings",
    "DrawSettings": "verbs.draw_settings",
    "FindSettings": "verbs.find_settings",
    "Pixels": "models.pixels",
    "Recipe": "recipe",
    "RestoreSettings": "verbs.restore_settings",
    "Restored": "verbs.restore",
    "SearchSettings": "verbs.search_settings",
    "Searched": "verbs.search",
    "Source": "models.sources",
    "SourceSettings": "models.settings",
    "Ticket": "ticket.ticket",
    "Training": "training.settings",
    "Transfer": "verbs.transfer",
    "TransferSettings": "verbs.transfer_settings",
    "UserError": "foundation.errors",
    "Verdict": "verbs.verify",
    "VerifySettings": "verbs.verify_settings",
    "analyse": "verbs.analyse",
    "check": "verbs.check",
    "draw": "verbs.draw",
    "draw_all": "verbs.draw",
    "evaluate": "verbs.evaluate",
    "export": "verbs.export",
    "find": "verbs.find",
    "gap": "verbs.gap",
    "load": "models.folders",
    "load_data": "data.load",
    "load_recipe": "recipe",
    "load_runtime": "runtime.load",
    "load_source": "models.sources",
    "load_transfer": "verbs.reopen",
    "masked": "integrations.masked",
    "predict": "verbs.predict.predict",
    "pretrain": "verbs.pretrain",
    "restore": "verbs.restore",
    "run": "pipeline.run",
    "search": "verbs.search",
    "shrink": "verbs.shrink",
    "transfer": "verbs.transfer",
    "verify": "verbs.verify",
}

__all__ = [
    "AnalyseSettings",
    "DataSettings",
    "DrawSettings",
    "FindSettings",
    "Network",
    "Pixels",
    "Recipe",
    "RestoreSettings",
    "Restored",
    "SearchSettings",
    "Searched",
    "Source",
    "SourceSettings",
    "Ticket",
    "Training",
    "Transfer",
    "TransferSettings",
    "UserError",
    "Verdict",
    "VerifySettings",
    "analyse",
    "check",
    "draw",
    "draw_all",
    "evaluate",
    "export",
    "find",
    "gap",
    "load",
    "load_data",
    "load_recipe",
    "load_runtime",
    "load_source",
    "load_transfer",
    "masked",
    "predict",
    "pretrain",
    "restore",
    "run",
    "search",
    "shrink",
    "transfer",
    "verify",
]

write_notebooks_in("robust_tickets.findings.notebooks")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("robust-tickets")
    if name not in _HOME:
        raise AttributeError(f"module 'robust_tickets' has no attribute {name!r}")
    value = getattr(import_module(f"robust_tickets.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
