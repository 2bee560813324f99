"""scripts/check-module, which reads modules."""

import functools
import importlib.machinery
import importlib.util

from . import ROOT


@functools.cache
def check_module():
    loader = importlib.machinery.SourceFileLoader("check_module", str(ROOT / "scripts" / "check-module"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_module", loader))
    loader.exec_module(module)
    return module
