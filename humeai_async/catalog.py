"""Every endpoint of the service, one constant each, in the order of the documented table.

A constant is named for the method that calls it: `CONFIGS_CREATE_VERSION` belongs to
`configs.create_version`. Where the table is wrong about Hume, the constant does what Hume does
and a comment beside it says so. The catalog knows neither hosts nor credentials; resources
fill its constants in, and no other module holds a path.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import urljoin

from attrs import frozen

from humeai_async.http.endpoint import Encoding, Endpoint, Pagination
from humeai_async.types.batch import Artifacts, JobDetails, JobId
from humeai_async.types.chat import ServerEvent
from humeai_async.types.evi import (
    ChatEventsPage,
    ChatGroupEventsPage,
    ChatGroupPage,
    ChatPage,
    PrivacySettings,
    Prompt,
    PromptPage,
    Tool,
    ToolPage,
)
from humeai_async.types.evi_configs import Config, ConfigPage
from humeai_async.types.paging import Items, OneOrMany
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.registry import (
    Dataset,
    DatasetLabels,
    DatasetPage,
    DatasetVersionPage,
    FilePage,
    FileWithAttributes,
    Model,
    ModelPage,
    ModelVersion,
)

T = TypeVar("T")


@frozen(kw_only=True)
class _Product:
    """What the endpoints of one of Hume's products share."""

    bucket: str
    docs: str
    sunset: dt.date
    replacement: str

    def endpoint(
        self,
        name: str,
        method: str,
        path: str,
        returns: type[T],
        *,
        docs: str,
        row: str | None = None,
        query: tuple[str, ...] = (),
        body: tuple[str, ...] = (),
        encoding: Encoding | None = None,
        items: str | None = None,
        binary: bool = False,
        socket: bool = False,
    ) -> Endpoint[T]:
        """Describe one endpoint of this product; the rest follows from what is given."""
        if encoding is None:
            encoding = Encoding.JSON if body else Encoding.NONE
        if items is None:
            paging = Pagination.NONE
        else:
            paging = Pagination.SPRING if items == "content" else Pagination.NUMBERED
        return Endpoint(
            name=name,
            method=method,
            path=path,
            returns=returns,
            bucket=self.bucket,
            source=urljoin(self.docs, docs),
            row=row,
            query=query,
            body=body,
            encoding=encoding,
            paging=paging,
            items=items,
            repeatable=method in {"GET", "DELETE"},
            binary=binary,
            socket=socket,
            sunset=self.sunset,
            replacement=self.replacement,
        )


_BATCH = _Product(
    bucket="batch",
    docs="https://dev.hume.ai/reference/expression-measurement-api/",
    # 14 June 2026 was the last day for calls and for fetching results.
    sunset=dt.date(2026, 6, 15),
    replacement="the Expression Measurement API at api.cloud.hume.ai, with results of another form",
)
_EVI = _Product(
    bucket="evi",
    docs="https://dev.hume.ai/reference/empathic-voice-interface-evi/",
    # Ended on that day at 00:01 EST; the accounts' data was deleted afterwards.
    sunset=dt.date(2026, 11, 13),
    replacement="nothing (Hume named no successor)",
)
_REGISTRY = _Product(
    bucket="registry",
    docs="https://dev.hume.ai/reference/custom-models-api/",
    # No date was announced; on this day the last official SDK dropped the custom models.
    sunset=dt.date(2024, 7, 22),
    replacement="nothing (Hume named no successor)",
)

_NOTHING = type(None)
_PAGE = ("page_number", "page_size")
_DIRECTED = (*_PAGE, "ascending_order")
# Hume takes restrict_to_most_recent as true if it is left out, in the lists of versions too,
# which then hold one version: those must send false.
_VERSIONS = (*_PAGE, "restrict_to_most_recent")
_SHARED = (*_PAGE, "shared_assets")
# The table lacks evi_version, which Hume requires, and timeouts, nudges, interruption,
# turn_detection and webhooks; it calls tools and builtin_tools objects, but they are arrays.
_CONFIG = (
    "version_description",
    "prompt",
    "voice",
    "language_model",
    "ellm_model",
    "tools",
    "builtin_tools",
    "event_messages",
    "timeouts",
    "nudges",
    "interruption",
    "turn_detection",
    "webhooks",
)
_PROMPT = ("text", "version_description", "prompt_expansion")  # the table lacks the last
_TOOL = ("parameters", "version_description", "description", "fallback_content")
_DATASET = ("labels_file", "feature_types")
_TRAINING = (
    "custom_model",
    "dataset",
    "target_feature",
    "task",
    "evaluation",
    "alternatives",
    "callback_url",
    "notify",
)
_INFERENCE = ("custom_model", "urls", "registry_files", "callback_url", "notify")

# An entry reads like a row of the reference: what, where, what comes back; then the rest.
# fmt: off

# The documented row 1 is the EVI WebSocket (CHAT_CONNECT) filed under the path of the job list.
# Called as documented it lists jobs, and its parameters mean nothing to Hume.
CHAT_GET = _BATCH.endpoint(
    "chat.get", "GET", "/v0/batch/jobs", Items[JobDetails],
    row="Chat", docs="/reference/empathic-voice-interface-evi/chat/chat",
    query=("access_token", "api_key", "config_id", "config_version", "resumed_chat_group_id"))

# The documented body is the query of BATCH_LIST_JOBS; this is Hume's own.
BATCH_START_JOB = _BATCH.endpoint(
    "batch.start_job", "POST", "/v0/batch/jobs", JobId,
    row="Start inference job", docs="batch/start-inference-job",
    body=("models", "transcription", "urls", "text", "registry_files", "callback_url", "notify"))
BATCH_GET_JOB = _BATCH.endpoint(
    "batch.get_job", "GET", "/v0/batch/jobs/{id}", JobDetails,
    row="Get job details", docs="batch/get-job-details")
# A bare array, one element a source. Before the job has ended the answer is an error, of a
# status that the reference does not give.
BATCH_GET_PREDICTIONS = _BATCH.endpoint(
    "batch.get_predictions", "GET", "/v0/batch/jobs/{id}/predictions", Predictions,
    row="Get job predictions", docs="batch/get-job-predictions")
# A ZIP. The open-source gateway reads answers as text, which ruins it.
BATCH_GET_ARTIFACTS = _BATCH.endpoint(
    "batch.get_artifacts", "GET", "/v0/batch/jobs/{id}/artifacts", Artifacts,
    row="Get job artifacts", docs="batch/get-job-artifacts", binary=True)

# The table lacks config_id.
CHAT_GROUPS_LIST = _EVI.endpoint(
    "chat_groups.list", "GET", "/v0/evi/chat_groups", ChatGroupPage,
    row="List chat_groups", docs="chat-groups/list-chat-groups",
    query=(*_DIRECTED, "config_id"), items="chat_groups_page")
# The table calls id a chat's; it is the group's.
CHAT_GROUPS_LIST_EVENTS = _EVI.endpoint(
    "chat_groups.list_events", "GET", "/v0/evi/chat_groups/{id}/events", ChatGroupEventsPage,
    row="List chat events from a specific chat_group", docs="chat-groups/list-chat-group-events",
    query=_DIRECTED, items="events_page")

# The table lacks config_id and status.
CHATS_LIST = _EVI.endpoint(
    "chats.list", "GET", "/v0/evi/chats", ChatPage,
    row="List chats", docs="chats/list-chats",
    query=(*_DIRECTED, "config_id", "status"), items="chats_page")
# The path is the chat itself: its own fields come with each page of events.
CHATS_LIST_EVENTS = _EVI.endpoint(
    "chats.list_events", "GET", "/v0/evi/chats/{id}", ChatEventsPage,
    row="List chat events", docs="chats/list-chat-events", query=_DIRECTED, items="events_page")

# The table lacks name.
CONFIGS_LIST = _EVI.endpoint(
    "configs.list", "GET", "/v0/evi/configs", ConfigPage,
    row="List configs", docs="configs/list-configs",
    query=(*_VERSIONS, "name"), items="configs_page")
CONFIGS_CREATE = _EVI.endpoint(
    "configs.create", "POST", "/v0/evi/configs", Config,
    row="Create config", docs="configs/create-config", body=("evi_version", "name", *_CONFIG))
CONFIGS_LIST_VERSIONS = _EVI.endpoint(
    "configs.list_versions", "GET", "/v0/evi/configs/{id}", ConfigPage,
    row="List config versions", docs="configs/list-config-versions",
    query=_VERSIONS, items="configs_page")
CONFIGS_CREATE_VERSION = _EVI.endpoint(
    "configs.create_version", "POST", "/v0/evi/configs/{id}", Config,
    row="Create config version", docs="configs/create-config-version",
    body=("evi_version", *_CONFIG))
# Deletes answer with an empty body; 200 by the definition, 204 is just as well.
CONFIGS_DELETE = _EVI.endpoint(
    "configs.delete", "DELETE", "/v0/evi/configs/{id}", _NOTHING,
    row="Delete config", docs="configs/delete-config")
# Renames answer with an empty body or plain text, never with the object.
CONFIGS_UPDATE_NAME = _EVI.endpoint(
    "configs.update_name", "PATCH", "/v0/evi/configs/{id}", _NOTHING,
    row="Update config name", docs="configs/update-config-name", body=("name",))
CONFIGS_GET_VERSION = _EVI.endpoint(
    "configs.get_version", "GET", "/v0/evi/configs/{id}/version/{version}", Config,
    row="Get config version", docs="configs/get-config-version")
CONFIGS_DELETE_VERSION = _EVI.endpoint(
    "configs.delete_version", "DELETE", "/v0/evi/configs/{id}/version/{version}", _NOTHING,
    row="Delete config version", docs="configs/delete-config-version")
CONFIGS_UPDATE_DESCRIPTION = _EVI.endpoint(
    "configs.update_description", "PATCH", "/v0/evi/configs/{id}/version/{version}", Config,
    row="Update config description", docs="configs/update-config-description",
    body=("version_description",))

DATASETS_LIST = _REGISTRY.endpoint(
    "datasets.list", "GET", "/v0/registry/datasets", DatasetPage,
    row="List datasets", docs="datasets/list-datasets", query=("name", *_SHARED), items="content")
# The table has JSON and calls the file optional; Hume takes multipart with the file.
DATASETS_CREATE = _REGISTRY.endpoint(
    "datasets.create", "POST", "/v0/registry/datasets", Dataset,
    row="Create dataset", docs="datasets/create-dataset",
    body=("name", *_DATASET), encoding=Encoding.MULTIPART)
DATASETS_GET = _REGISTRY.endpoint(
    "datasets.get", "GET", "/v0/registry/datasets/{id}", Dataset,
    row="Get dataset", docs="datasets/get-dataset")
# Multipart again. The reference gives an array, unlike for `datasets.create`; a single object
# is accepted too.
DATASETS_CREATE_VERSION = _REGISTRY.endpoint(
    "datasets.create_version", "POST", "/v0/registry/datasets/{id}", OneOrMany[Dataset],
    row="Create dataset version", docs="datasets/create-dataset-version",
    body=_DATASET, encoding=Encoding.MULTIPART)
DATASETS_DELETE = _REGISTRY.endpoint(
    "datasets.delete", "DELETE", "/v0/registry/datasets/{id}", _NOTHING,
    row="Delete dataset", docs="datasets/delete-dataset")
DATASETS_LIST_VERSIONS = _REGISTRY.endpoint(
    "datasets.list_versions", "GET", "/v0/registry/datasets/{id}/versions", DatasetVersionPage,
    row="List dataset versions", docs="datasets/list-dataset-versions",
    query=_SHARED, items="content")
# The reference gives an array of pages here, probably by mistake: one page and an array of
# pages are both accepted. The table calls id a dataset version's; it is the dataset's.
DATASETS_LIST_FILES = _REGISTRY.endpoint(
    "datasets.list_files", "GET", "/v0/registry/datasets/{id}/files", FilePage,
    row="List dataset files", docs="datasets/list-dataset-files", query=_SHARED, items="content")
DATASETS_GET_VERSION = _REGISTRY.endpoint(
    "datasets.get_version", "GET", "/v0/registry/datasets/version/{id}", DatasetLabels,
    row="Get dataset version", docs="datasets/get-dataset-version")
# One page or an array of pages, as above. The table's link is that of the row before; no better
# one is known.
DATASETS_LIST_VERSION_FILES = _REGISTRY.endpoint(
    "datasets.list_version_files", "GET", "/v0/registry/datasets/version/{id}/files", FilePage,
    row="List dataset version files", docs="datasets/get-dataset-version",
    query=_SHARED, items="content")

FILES_LIST = _REGISTRY.endpoint(
    "files.list", "GET", "/v0/registry/files", FilePage,
    row="List files", docs="files/list-files", query=_SHARED, items="content")
# Arrays both ways, of objects with these fields; the table has one object. Only registers: the
# bytes go to the `upload_uri` of the answer.
FILES_CREATE = _REGISTRY.endpoint(
    "files.create", "POST", "/v0/registry/files", Items[FileWithAttributes],
    row="Create files", docs="files/create-files", body=("file", "attributes"))
# The table has JSON; Hume takes multipart.
FILES_UPLOAD = _REGISTRY.endpoint(
    "files.upload", "POST", "/v0/registry/files/upload", FileWithAttributes,
    row="Upload file", docs="files/upload-file",
    body=("file", "attributes"), encoding=Encoding.MULTIPART)
FILES_GET = _REGISTRY.endpoint(
    "files.get", "GET", "/v0/registry/files/{id}", FileWithAttributes,
    row="Get file", docs="files/get-file")
FILES_DELETE = _REGISTRY.endpoint(
    "files.delete", "DELETE", "/v0/registry/files/{id}", _NOTHING,
    row="Delete file", docs="files/delete-file")
# The name goes into the query; the table has it in the body.
FILES_UPDATE_NAME = _REGISTRY.endpoint(
    "files.update_name", "PATCH", "/v0/registry/files/{id}", FileWithAttributes,
    row="Update file name", docs="files/update-file-name", query=("name",))
# No form of the answer was ever published; it probably is that of BATCH_GET_PREDICTIONS.
FILES_GET_PREDICTIONS = _REGISTRY.endpoint(
    "files.get_predictions", "GET", "/v0/registry/files/{id}/predictions", object,
    row="Get file predictions", docs="files/get-file-predictions")

# The prefix stands twice in both paths: in Hume's reference and its SDKs of May to July 2024.
# The SDK of April 2024 had it once (JOBS_START_TRAINING_PLAIN); which one was served is unknown.
JOBS_START_TRAINING = _REGISTRY.endpoint(
    "jobs.start_training", "POST", "/v0/registry/v0/batch/jobs/tl/train", JobId,
    row="Start training job", docs="jobs/start-training-job", body=_TRAINING)
JOBS_START_INFERENCE = _REGISTRY.endpoint(
    "jobs.start_inference", "POST", "/v0/registry/v0/batch/jobs/tl/inference", JobId,
    row="Start custom models inference job", docs="jobs/start-custom-models-inference-job",
    body=_INFERENCE)

MODELS_LIST = _REGISTRY.endpoint(
    "models.list", "GET", "/v0/registry/models", ModelPage,
    row="List models", docs="models/list-models", query=("name", *_SHARED), items="content")
MODELS_GET = _REGISTRY.endpoint(
    "models.get", "GET", "/v0/registry/models/{id}", Model,
    row="Get model details", docs="models/get-model-details")
# The name goes into the query; the table has it in the body.
MODELS_UPDATE_NAME = _REGISTRY.endpoint(
    "models.update_name", "PATCH", "/v0/registry/models/{id}", Model,
    row="Update model name", docs="models/update-model-name", query=("name",))
# A bare array without pages. id is a filter that may be given again and again; the table has
# one text.
MODELS_LIST_VERSIONS = _REGISTRY.endpoint(
    "models.list_versions", "GET", "/v0/registry/models/version", Items[ModelVersion],
    row="List model versions", docs="models/list-model-versions",
    query=("id", "name", "version", "shared_assets"))
MODELS_GET_VERSION = _REGISTRY.endpoint(
    "models.get_version", "GET", "/v0/registry/models/version/{id}", ModelVersion,
    row="Get model version", docs="models/get-model-version", query=("shared_assets",))
# The body is the description itself, as a bare JSON text; the table has no body.
MODELS_UPDATE_VERSION_DESCRIPTION = _REGISTRY.endpoint(
    "models.update_version_description", "PATCH", "/v0/registry/models/version/{id}", ModelVersion,
    row="Update model description", docs="models/update-model-description",
    encoding=Encoding.BARE_JSON)

# Probably gone since 2025, with EVI at the latest; what the answers hold was never published.
PRIVACY_GET_SETTINGS = _EVI.endpoint(
    "privacy.get_settings", "GET", "/v0/evi/privacy/settings", PrivacySettings,
    row="Get User Privacy Settings", docs="privacy/get-user-privacy-settings")
# The fields go into the query, in camelCase; the table has them in the body.
PRIVACY_UPDATE_SETTINGS = _EVI.endpoint(
    "privacy.update_settings", "PATCH", "/v0/evi/privacy/settings", object,
    row="Patch User Privacy Settings", docs="privacy/patch-user-privacy-settings",
    query=("allowRetention", "allowTraining"))
PRIVACY_DELETE_DATA = _EVI.endpoint(
    "privacy.delete_data", "DELETE", "/v0/evi/privacy", _NOTHING,
    row="Delete User Data", docs="privacy/delete-user-data")

# The table lacks name.
PROMPTS_LIST = _EVI.endpoint(
    "prompts.list", "GET", "/v0/evi/prompts", PromptPage,
    row="List prompts", docs="prompts/list-prompts",
    query=(*_VERSIONS, "name"), items="prompts_page")
PROMPTS_CREATE = _EVI.endpoint(
    "prompts.create", "POST", "/v0/evi/prompts", Prompt,
    row="Create prompt", docs="prompts/create-prompt", body=("name", *_PROMPT))
# The table calls page_size "text" and restrict_to_most_recent "version_description".
PROMPTS_LIST_VERSIONS = _EVI.endpoint(
    "prompts.list_versions", "GET", "/v0/evi/prompts/{id}", PromptPage,
    row="List prompt versions", docs="prompts/list-prompt-versions",
    query=_VERSIONS, items="prompts_page")
# Hume misspells the address of this page.
PROMPTS_CREATE_VERSION = _EVI.endpoint(
    "prompts.create_version", "POST", "/v0/evi/prompts/{id}", Prompt,
    row="Create prompt version", docs="prompts/create-prompt-verison", body=_PROMPT)
PROMPTS_DELETE = _EVI.endpoint(
    "prompts.delete", "DELETE", "/v0/evi/prompts/{id}", _NOTHING,
    row="Delete prompt", docs="prompts/delete-prompt")
PROMPTS_UPDATE_NAME = _EVI.endpoint(
    "prompts.update_name", "PATCH", "/v0/evi/prompts/{id}", _NOTHING,
    row="Update prompt name", docs="prompts/update-prompt-name", body=("name",))
PROMPTS_GET_VERSION = _EVI.endpoint(
    "prompts.get_version", "GET", "/v0/evi/prompts/{id}/version/{version}", Prompt,
    row="Get prompt version", docs="prompts/get-prompt-version")
PROMPTS_DELETE_VERSION = _EVI.endpoint(
    "prompts.delete_version", "DELETE", "/v0/evi/prompts/{id}/version/{version}", _NOTHING,
    row="Delete prompt version", docs="prompts/delete-prompt-version")
PROMPTS_UPDATE_DESCRIPTION = _EVI.endpoint(
    "prompts.update_description", "PATCH", "/v0/evi/prompts/{id}/version/{version}", Prompt,
    row="Update prompt description", docs="prompts/update-prompt-description",
    body=("version_description",))

# The table lacks name.
TOOLS_LIST = _EVI.endpoint(
    "tools.list", "GET", "/v0/evi/tools", ToolPage,
    row="List tools", docs="tools/list-tools", query=(*_VERSIONS, "name"), items="tools_page")
TOOLS_CREATE = _EVI.endpoint(
    "tools.create", "POST", "/v0/evi/tools", Tool,
    row="Create tool", docs="tools/create-tool", body=("name", *_TOOL))
TOOLS_LIST_VERSIONS = _EVI.endpoint(
    "tools.list_versions", "GET", "/v0/evi/tools/{id}", ToolPage,
    row="List tool versions", docs="tools/list-tool-versions", query=_VERSIONS, items="tools_page")
TOOLS_CREATE_VERSION = _EVI.endpoint(
    "tools.create_version", "POST", "/v0/evi/tools/{id}", Tool,
    row="Create tool version", docs="tools/create-tool-version", body=_TOOL)
TOOLS_DELETE = _EVI.endpoint(
    "tools.delete", "DELETE", "/v0/evi/tools/{id}", _NOTHING,
    row="Delete tool", docs="tools/delete-tool")
TOOLS_UPDATE_NAME = _EVI.endpoint(
    "tools.update_name", "PATCH", "/v0/evi/tools/{id}", _NOTHING,
    row="Update tool name", docs="tools/update-tool-name", body=("name",))
TOOLS_GET_VERSION = _EVI.endpoint(
    "tools.get_version", "GET", "/v0/evi/tools/{id}/version/{version}", Tool,
    row="Get tool version", docs="tools/get-tool-version")
TOOLS_DELETE_VERSION = _EVI.endpoint(
    "tools.delete_version", "DELETE", "/v0/evi/tools/{id}/version/{version}", _NOTHING,
    row="Delete tool version", docs="tools/delete-tool-version")
TOOLS_UPDATE_DESCRIPTION = _EVI.endpoint(
    "tools.update_description", "PATCH", "/v0/evi/tools/{id}/version/{version}", Tool,
    row="Update tool description", docs="tools/update-tool-description",
    body=("version_description",))

# Beyond the table.

# A bare array without pages; older jobs are reached with when=created_before and timestamp_ms.
# type was known to the service in 2024 only.
BATCH_LIST_JOBS = _BATCH.endpoint(
    "batch.list_jobs", "GET", "/v0/batch/jobs", Items[JobDetails],
    docs="batch/list-jobs",
    query=("limit", "status", "when", "timestamp_ms", "sort_by", "direction", "type"))
# The same path as BATCH_START_JOB: the content type decides. `json` holds that one's body.
BATCH_START_JOB_FILES = _BATCH.endpoint(
    "batch.start_job_files", "POST", "/v0/batch/jobs", JobId,
    docs="batch/start-inference-job-from-local-file",
    body=("json", "file"), encoding=Encoding.MULTIPART)
# A WebSocket, which no gateway carries; what comes back comes message by message.
CHAT_CONNECT = _EVI.endpoint(
    "chat.connect", "GET", "/v0/evi/chat", ServerEvent,
    docs="chat/chat",
    query=("access_token", "api_key", "config_id", "config_version", "resumed_chat_group_id",
           "event_limit", "verbose_transcription", "allow_connection", "session_settings"),
    socket=True)
# The paths of the custom models' jobs as of April 2024, without the prefix.
JOBS_START_TRAINING_PLAIN = _REGISTRY.endpoint(
    "jobs.start_training_plain", "POST", "/v0/batch/jobs/tl/train", JobId,
    docs="jobs/start-training-job", body=_TRAINING)
JOBS_START_INFERENCE_PLAIN = _REGISTRY.endpoint(
    "jobs.start_inference_plain", "POST", "/v0/batch/jobs/tl/inference", JobId,
    docs="jobs/start-custom-models-inference-job", body=_INFERENCE)

# fmt: on


def _constants() -> Iterator[Endpoint[Any]]:
    """Collect the constants above, so that no second list of them has to be kept."""
    for value in tuple(globals().values()):
        if isinstance(value, Endpoint):
            yield value


ALL = tuple(_constants())
"""Every endpoint: the documented table in its order, then those beyond it."""
TABLE = tuple(endpoint for endpoint in ALL if endpoint.row is not None)
"""The 63 rows of the documented table, in its order."""
