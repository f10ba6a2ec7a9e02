"""The endpoints of the Empathic Voice Interface: configs, prompts and tools.

A constant is named for the method that calls it: `CONFIGS_LIST` belongs to `configs.list`.
Where the documented table is wrong about Hume, the constant does what Hume does and a comment
beside it says so. It knows neither hosts nor credentials; resources fill its constants in.
"""

from __future__ import annotations

from humeai_async.catalog.product import EVI, NOTHING, PAGE
from humeai_async.http.endpoint import Endpoint
from humeai_async.types.evi import (
    Prompt,
    PromptPage,
    Tool,
    ToolPage,
)
from humeai_async.types.evi_configs import Config, ConfigPage

# Hume takes restrict_to_most_recent as true if it is left out, in the lists of versions too,
# which then hold one version: those must send false.
_VERSIONS = (*PAGE, "restrict_to_most_recent")
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

# An entry reads like a row of the reference: what, where, what comes back; then the rest.
# fmt: off

# The table lacks name.
CONFIGS_LIST = Endpoint(
    "configs.list", "GET", "/v0/evi/configs", ConfigPage, **EVI,
    row="List configs", docs="configs/list-configs",
    query=(*_VERSIONS, "name"), items="configs_page")
CONFIGS_CREATE = Endpoint(
    "configs.create", "POST", "/v0/evi/configs", Config, **EVI,
    row="Create config", docs="configs/create-config", body=("evi_version", "name", *_CONFIG))
CONFIGS_LIST_VERSIONS = Endpoint(
    "configs.list_versions", "GET", "/v0/evi/configs/{id}", ConfigPage, **EVI,
    row="List config versions", docs="configs/list-config-versions",
    query=_VERSIONS, items="configs_page")
CONFIGS_CREATE_VERSION = Endpoint(
    "configs.create_version", "POST", "/v0/evi/configs/{id}", Config, **EVI,
    row="Create config version", docs="configs/create-config-version",
    body=("evi_version", *_CONFIG))
# Deletes have a response with an empty body; 200 by the definition, 204 is just as well.
CONFIGS_DELETE = Endpoint(
    "configs.delete", "DELETE", "/v0/evi/configs/{id}", NOTHING, **EVI,
    row="Delete config", docs="configs/delete-config")
# Renames have a response with an empty body or plain text, never with the object.
CONFIGS_UPDATE_NAME = Endpoint(
    "configs.update_name", "PATCH", "/v0/evi/configs/{id}", NOTHING, **EVI,
    row="Update config name", docs="configs/update-config-name", body=("name",))
CONFIGS_GET_VERSION = Endpoint(
    "configs.get_version", "GET", "/v0/evi/configs/{id}/version/{version}", Config, **EVI,
    row="Get config version", docs="configs/get-config-version")
CONFIGS_DELETE_VERSION = Endpoint(
    "configs.delete_version", "DELETE", "/v0/evi/configs/{id}/version/{version}", NOTHING, **EVI,
    row="Delete config version", docs="configs/delete-config-version")
CONFIGS_UPDATE_DESCRIPTION = Endpoint(
    "configs.update_description", "PATCH", "/v0/evi/configs/{id}/version/{version}", Config, **EVI,
    row="Update config description", docs="configs/update-config-description",
    body=("version_description",))
# The table lacks name.
PROMPTS_LIST = Endpoint(
    "prompts.list", "GET", "/v0/evi/prompts", PromptPage, **EVI,
    row="List prompts", docs="prompts/list-prompts",
    query=(*_VERSIONS, "name"), items="prompts_page")
PROMPTS_CREATE = Endpoint(
    "prompts.create", "POST", "/v0/evi/prompts", Prompt, **EVI,
    row="Create prompt", docs="prompts/create-prompt", body=("name", *_PROMPT))
# The table calls page_size "text" and restrict_to_most_recent "version_description".
PROMPTS_LIST_VERSIONS = Endpoint(
    "prompts.list_versions", "GET", "/v0/evi/prompts/{id}", PromptPage, **EVI,
    row="List prompt versions", docs="prompts/list-prompt-versions",
    query=_VERSIONS, items="prompts_page")
# Hume misspells the address of this page.
PROMPTS_CREATE_VERSION = Endpoint(
    "prompts.create_version", "POST", "/v0/evi/prompts/{id}", Prompt, **EVI,
    row="Create prompt version", docs="prompts/create-prompt-verison", body=_PROMPT)
PROMPTS_DELETE = Endpoint(
    "prompts.delete", "DELETE", "/v0/evi/prompts/{id}", NOTHING, **EVI,
    row="Delete prompt", docs="prompts/delete-prompt")
PROMPTS_UPDATE_NAME = Endpoint(
    "prompts.update_name", "PATCH", "/v0/evi/prompts/{id}", NOTHING, **EVI,
    row="Update prompt name", docs="prompts/update-prompt-name", body=("name",))
PROMPTS_GET_VERSION = Endpoint(
    "prompts.get_version", "GET", "/v0/evi/prompts/{id}/version/{version}", Prompt, **EVI,
    row="Get prompt version", docs="prompts/get-prompt-version")
PROMPTS_DELETE_VERSION = Endpoint(
    "prompts.delete_version", "DELETE", "/v0/evi/prompts/{id}/version/{version}", NOTHING, **EVI,
    row="Delete prompt version", docs="prompts/delete-prompt-version")
PROMPTS_UPDATE_DESCRIPTION = Endpoint(
    "prompts.update_description", "PATCH", "/v0/evi/prompts/{id}/version/{version}", Prompt, **EVI,
    row="Update prompt description", docs="prompts/update-prompt-description",
    body=("version_description",))
# The table lacks name.
TOOLS_LIST = Endpoint(
    "tools.list", "GET", "/v0/evi/tools", ToolPage, **EVI,
    row="List tools", docs="tools/list-tools", query=(*_VERSIONS, "name"), items="tools_page")
TOOLS_CREATE = Endpoint(
    "tools.create", "POST", "/v0/evi/tools", Tool, **EVI,
    row="Create tool", docs="tools/create-tool", body=("name", *_TOOL))
TOOLS_LIST_VERSIONS = Endpoint(
    "tools.list_versions", "GET", "/v0/evi/tools/{id}", ToolPage, **EVI,
    row="List tool versions", docs="tools/list-tool-versions", query=_VERSIONS, items="tools_page")
TOOLS_CREATE_VERSION = Endpoint(
    "tools.create_version", "POST", "/v0/evi/tools/{id}", Tool, **EVI,
    row="Create tool version", docs="tools/create-tool-version", body=_TOOL)
TOOLS_DELETE = Endpoint(
    "tools.delete", "DELETE", "/v0/evi/tools/{id}", NOTHING, **EVI,
    row="Delete tool", docs="tools/delete-tool")
TOOLS_UPDATE_NAME = Endpoint(
    "tools.update_name", "PATCH", "/v0/evi/tools/{id}", NOTHING, **EVI,
    row="Update tool name", docs="tools/update-tool-name", body=("name",))
TOOLS_GET_VERSION = Endpoint(
    "tools.get_version", "GET", "/v0/evi/tools/{id}/version/{version}", Tool, **EVI,
    row="Get tool version", docs="tools/get-tool-version")
TOOLS_DELETE_VERSION = Endpoint(
    "tools.delete_version", "DELETE", "/v0/evi/tools/{id}/version/{version}", NOTHING, **EVI,
    row="Delete tool version", docs="tools/delete-tool-version")
TOOLS_UPDATE_DESCRIPTION = Endpoint(
    "tools.update_description", "PATCH", "/v0/evi/tools/{id}/version/{version}", Tool, **EVI,
    row="Update tool description", docs="tools/update-tool-description",
    body=("version_description",))

# fmt: on
