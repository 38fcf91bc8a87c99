"""The models of AWS services, cut down to what is used, so that a pass does not read all of botocore's to call little.

botocore makes each client from a description of its service. That of EC2 is 4 MB of JSON with over 800 operations, of
which five are used; to find it, the folders of all services are listed, twice a client; and with the first client
1.2 MB of endpoints are read. So the first command makes a copy with what OPERATIONS names, which later ones read.

CPU time saved, with botocore 1.44 and Python 3.11 on a small virtual machine: 70 of 250 ms where a process only asks
SQS something, 215 of 410 ms where it asks SQS, DynamoDB and EC2. Most of what is left is the import of botocore.

The copy never changes what a command does. The name of its folder says of which version of botocore, in which format
and of which operations it is. Each file begins with the checksum of what follows, which costs 0.1 ms for all that a
pass reads. Where anything is wrong with a file, neither it nor another one of the copy is read any more: botocore's own
models are. The copy is removed, and the next command makes a new one.
"""

import shutil
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError
from botocore.loaders import Loader

from nommerctl.adapters.aws.model_copies import SHARED, Cut, copy_folder, is_ours, read_cut
from nommerctl.adapters.aws.operations import OPERATIONS


class CutDownLoader(Loader):
    """botocore's loader of models, which takes those of OPERATIONS from a copy in `folder`, and all others as ever.

    With `may_write` it makes the copy if it is not there yet, and removes one that is damaged.
    """

    def __init__(self, folder: Path, *, may_write: bool) -> None:
        super().__init__()
        self._copy = copy_folder(folder)
        self._may_write = may_write
        self._usable: bool | None = None
        self._cuts: dict[str, Cut] = {}

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:  # noqa: ANN401 - JSON
        """Load the model of one type of a service."""
        cut = self._cut(service_name) if service_name in OPERATIONS else None
        if cut is not None and api_version in {None, cut.api_version} and type_name in cut.models:
            return cut.models[type_name]
        return super().load_service_model(service_name, type_name, api_version)

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        """Load data by its path under botocore's; return it, and where botocore has it."""
        cut = self._cut(SHARED) if "/" not in name else None
        if cut is not None and name in cut.models:
            return cut.models[name], str(Path(self.BUILTIN_DATA_PATH) / name)
        found: tuple[Any, str] = super().load_data_with_path(name)
        return found

    def _cut(self, name: str) -> Cut | None:
        """Return what the copy has of this name; None if there is no copy, or none that can be trusted."""
        if self._usable is None:
            self._usable = self._found()
        if not self._usable:
            return None
        if name not in self._cuts:
            cut = read_cut(self._copy, name)
            if cut is None:
                self._drop()
                return None
            self._cuts[name] = cut
        return self._cuts[name]

    def _found(self) -> bool:
        """Whether there is a copy that nobody else could have made; it is made if it is not there."""
        try:
            return is_ours(self._copy) or self._drop()
        except FileNotFoundError:
            return self._may_write and self._made()
        except OSError:
            return False

    def _made(self) -> bool:
        from nommerctl.adapters.aws.model_cutting import make_copy

        try:
            make_copy(self._copy)
        except (OSError, BotoCoreError, LookupError, TypeError, ValueError):  # botocore's own models do as well
            return False
        return True

    def _drop(self) -> bool:
        """Use no copy any more; return False."""
        self._usable = False
        if self._may_write:
            shutil.rmtree(self._copy, ignore_errors=True)
        return False
