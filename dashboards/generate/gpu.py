"""The GPU as its driver sees it (NVML), beside what torch has of it, and DCGM where it is scraped."""

from typing import Final

from dashboards.generate.board import INSTANCE, Board, Row, variable
from dashboards.generate.links import to_logs
from dashboards.generate.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SERVER,
    YELLOW,
    About,
    Query,
    Steps,
    graph,
    stat,
)

GPU: Final = f'{SERVER}, gpu=~"$gpu"'
NAME: Final = "{{instance}} GPU {{gpu}}"
DCGM: Final = 'job="dcgm"'
FILL: Final[Steps] = ((None, GREEN), (0.8, YELLOW), (0.92, RED))
HEAT: Final[Steps] = ((None, GREEN), (75, YELLOW), (85, RED))
ABSENT: Final = "no data: this server has no GPU, or lost its driver (the log says gpu_telemetry_lost)."


def _most(metric: str) -> str:
    return f"max by (instance, gpu) ({metric}{{{GPU}}})"


NOW: Final = Row(
    "Now",
    (
        stat(
            "Memory in use",
            "percentunit",
            [Query(f"{_most('tts_gpu_memory_used_bytes')} / {_most('tts_gpu_memory_total_bytes')}", NAME)],
            About(
                "Share of the GPU's memory that anybody uses, by NVML.",
                "below 80 %.",
                f"above 92 % the next large batch may fail: see the row below for whose it is. {ABSENT.capitalize()}",
                "PhonoscopeGpuMemoryPressure",
            ),
            width=6,
            steps=FILL,
            decimals=1,
        ),
        stat(
            "Utilisation",
            "percentunit",
            [Query(_most("tts_gpu_utilization_ratio"), NAME)],
            About(
                "Share of time in which the GPU ran anything at all.",
                "follows the engine's utilisation.",
                f"100 % without our traffic: another program shares the GPU. {ABSENT.capitalize()}",
            ),
            width=6,
            decimals=1,
        ),
        stat(
            "Power",
            "watt",
            [Query(_most("tts_gpu_power_watts"), NAME)],
            About(
                "What the GPU draws.",
                "low when idle, near its limit under load.",
                f"at the limit all the time: its clocks fall. {ABSENT.capitalize()}",
            ),
            width=6,
            decimals=0,
        ),
        stat(
            "Temperature",
            "celsius",
            [Query(_most("tts_gpu_temperature_celsius"), NAME)],
            About(
                "The GPU's core temperature.",
                "below 75 °C.",
                f"above 85 °C it throttles: look at cooling. {ABSENT.capitalize()}",
            ),
            width=6,
            steps=HEAT,
            decimals=0,
        ),
    ),
)

MEMORY: Final = Row(
    "Memory: whose is it?",
    (
        graph(
            "Memory, by NVML and by torch",
            "bytes",
            [
                Query(_most("tts_gpu_memory_total_bytes"), f"total {NAME}"),
                Query(_most("tts_gpu_memory_used_bytes"), f"used {NAME}"),
                Query(_most("tts_gpu_memory_reserved_bytes"), f"torch reserved {NAME}"),
                Query(_most("tts_gpu_memory_allocated_bytes"), f"torch allocated {NAME}"),
            ],
            About(
                "What the GPU has and what is used (NVML); what torch took of it (reserved) and what tensors fill "
                "of that (allocated).",
                "used is a little above reserved: the difference is CUDA itself, some 500 MB.",
                "used far above reserved: another program. Reserved far above allocated: a large request came by; "
                "torch keeps the memory for the next.",
                "PhonoscopeGpuMemoryPressure",
            ),
            width=12,
            colours={"total.*": GREY, "used.*": RED, "torch reserved.*": ORANGE, "torch allocated.*": BLUE},
            links=(to_logs("Log lines of the engine", '| event=~"engine_raised|gpu_telemetry_lost"'),),
        ),
        graph(
            "Not ours, and kept unused",
            "bytes",
            [
                Query(
                    f"{_most('tts_gpu_memory_used_bytes')} - {_most('tts_gpu_memory_reserved_bytes')}",
                    f"not torch's {NAME}",
                ),
                Query(
                    f"{_most('tts_gpu_memory_reserved_bytes')} - {_most('tts_gpu_memory_allocated_bytes')}",
                    f"reserved, unused {NAME}",
                ),
            ],
            About(
                "Used memory that torch did not take, and memory that torch took and does not fill.",
                "both flat.",
                "the first climbs: another program on this GPU. The second climbs: lengths that vary much break "
                "torch's memory into pieces.",
            ),
            width=12,
            colours={"not torch's.*": RED, "reserved, unused.*": ORANGE},
        ),
    ),
)

WORK: Final = Row(
    "Work and heat",
    (
        graph(
            "Utilisation, GPU and engine",
            "percentunit",
            [
                Query(_most("tts_gpu_utilization_ratio"), f"GPU {NAME}"),
                Query(
                    f"sum by (instance) (rate(tts_engine_busy_seconds_total{{{SERVER}}}[$__rate_interval]))",
                    "engine {{instance}}",
                ),
            ],
            About(
                "Time in which the GPU ran anything, beside the time in which our engine thread worked.",
                "they move together.",
                "the engine is busy and the GPU is not: the CPU holds it up. The GPU is busy and the engine is not: "
                "somebody else uses it.",
            ),
            colours={"GPU.*": BLUE, "engine.*": PURPLE},
        ),
        graph(
            "Power over time",
            "watt",
            [Query(_most("tts_gpu_power_watts"), NAME)],
            About(
                "What the GPU draws.",
                "follows utilisation.",
                "flat at the top: the power limit; clocks fall and the real-time factor rises.",
            ),
        ),
        graph(
            "Temperature over time",
            "celsius",
            [Query(_most("tts_gpu_temperature_celsius"), NAME)],
            About(
                "The GPU's core temperature.",
                "settles below 75 °C under load.",
                "above 85 °C it throttles: look at cooling and at the neighbours.",
            ),
            lowest=None,
            lines=((85, RED),),
        ),
    ),
)

DCGM_ROW: Final = Row(
    "DCGM, where it is scraped (compose profile gpu-metrics)",
    (
        graph(
            "Tensor cores and memory bus",
            "percentunit",
            [
                Query(f"max by (gpu) (DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{{{DCGM}}})", "tensor GPU {{gpu}}"),
                Query(f"max by (gpu) (DCGM_FI_PROF_DRAM_ACTIVE{{{DCGM}}})", "memory GPU {{gpu}}"),
            ],
            About(
                "How much of the time tensor cores and memory are really at work; utilisation says only that "
                "something ran.",
                "both rise with load.",
                "both low while the GPU is 'busy': batches are small, and launches cost more than the work.",
            ),
            width=6,
            highest=1,
        ),
        graph(
            "Memory, by DCGM",
            "decmbytes",
            [
                Query(f"max by (gpu) (DCGM_FI_DEV_FB_USED{{{DCGM}}})", "used GPU {{gpu}}"),
                Query(f"max by (gpu) (DCGM_FI_DEV_FB_FREE{{{DCGM}}})", "free GPU {{gpu}}"),
            ],
            About(
                "Used and free memory from the second source.",
                "agrees with NVML above.",
                "it differs: the two look at different GPUs.",
            ),
            width=6,
            colours={"used.*": RED, "free.*": GREEN},
        ),
        graph(
            "Clock",
            "hertz",
            [Query(f"max by (gpu) (DCGM_FI_DEV_SM_CLOCK{{{DCGM}}}) * 1e6", "GPU {{gpu}}")],
            About(
                "The clock of the multiprocessors.",
                "at its top under load.",
                "falls under load: heat or the power limit.",
            ),
            width=6,
        ),
        graph(
            "XID errors",
            "short",
            [Query(f"max by (gpu) (DCGM_FI_DEV_XID_ERRORS{{{DCGM}}})", "GPU {{gpu}}")],
            About(
                "The last error number of the driver.",
                "0.",
                "look the number up in NVIDIA's list of XID errors; 48, 63, 79, 94 are hardware: drain the machine.",
            ),
            width=6,
            lines=((1, RED),),
        ),
    ),
)

BOARD: Final = Board(
    "gpu",
    "GPU",
    "Is the GPU ours, full, hot or idle? Empty where servers run on CPUs.",
    (NOW, MEMORY, WORK, DCGM_ROW),
    variables=(
        INSTANCE,
        variable(
            "gpu",
            "GPU",
            'label_values(tts_gpu_memory_total_bytes{job="phonoscope", instance=~"$instance"}, gpu)',
            all_value=".*",
        ),
    ),
)
