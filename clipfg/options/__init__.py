"""Options: declared once for each command, shared by groups, resolved from every source."""
# ruff: noqa: F401

from clipfg.options.classifying import (
    BagsOptions,
    ExplainOptions,
    FewshotOptions,
    HeadShowOptions,
    PredictOptions,
    ZeroshotOptions,
)
from clipfg.options.curating import (
    CacheClearOptions,
    CacheInfoOptions,
    DatasetListOptions,
    DatasetPullOptions,
    DatasetShowOptions,
    DoctorOptions,
    DrawOptions,
    EmbedOptions,
    LintOptions,
    PromptLintOptions,
    ReportOptions,
    SuggestOptions,
)
from clipfg.options.data import (
    BoxOptions,
    DataOptions,
    GroupOptions,
    ReadingOptions,
    RegionOptions,
    TileOptions,
    ViewOptions,
    ViewPoolingOptions,
)
from clipfg.options.declare import COMMANDS, Option, Options, declared
from clipfg.options.groups import (
    ConfidenceOptions,
    DataJobOptions,
    FormatOptions,
    JobOptions,
    ModelOptions,
    OutputOptions,
    PromptOptions,
)
from clipfg.options.resolve import resolve, to_json, user_file
from clipfg.options.searching import (
    CoresetOptions,
    DemosOptions,
    IclOptions,
    IndexAddOptions,
    IndexBuildOptions,
    IndexDataOptions,
    IndexRemoveOptions,
    IndexShowOptions,
    RetrieveOptions,
)
from clipfg.options.training import FinetuneOptions
