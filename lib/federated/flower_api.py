"""The one door to Flower: its telemetry off before the import, its noise off after it, the names that we use.

Every other module takes Flower's classes from here, never from ``flwr``, so that no import order can switch telemetry
on and a change of Flower's interface is met in one file. Names that Flower does not document (`Error`, `ErrorCode`,
`TaskIdentity`) are marked below; the in-process grid needs them.
"""

import logging
import os
import warnings

ENVIRONMENT = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns of a change of its own default
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_raylet_start_wait_time_s": "180",  # a busy machine starts Ray slowly
}
for name, value in ENVIRONMENT.items():  # telemetry is read once, at import; RAY_... at Ray's start
    os.environ[name] = value

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "'click.utils.get_", DeprecationWarning)  # typer 0.20 beside click 8.5
    from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
    from flwr.app.error import Error  # undocumented
    from flwr.clientapp import ClientApp
    from flwr.common.constant import ErrorCode  # undocumented
    from flwr.serverapp import Grid, ServerApp
    from flwr.supercore import telemetry
    from flwr.supercore.task_identity import TaskIdentity  # undocumented

telemetry.FLWR_TELEMETRY_ENABLED = "0"  # where something imported flwr before us
# Flower logs about a dozen lines a round; a failure of a client reaches the caller as a reply, not as a log line.
logging.getLogger("flwr").setLevel(logging.CRITICAL)

__all__ = [
    "ENVIRONMENT",
    "ArrayRecord",
    "ClientApp",
    "ConfigRecord",
    "Context",
    "Error",
    "ErrorCode",
    "Grid",
    "Message",
    "MetricRecord",
    "RecordDict",
    "ServerApp",
    "TaskIdentity",
]
