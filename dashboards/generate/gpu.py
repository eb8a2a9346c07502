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
                "Share of the GPU's memory in use by all processes (NVML).",
                "below 80 %.",
                f"above 92 % the next large batch may fail: check the row below for its use. {ABSENT.capitalize()}",
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
                "Share of time in which the GPU was busy.",
                "follows the engine's utilisation.",
                f"100 % without traffic: another program shares the GPU. {ABSENT.capitalize()}",
            ),
            width=6,
            decimals=1,
        ),
        stat(
            "Power",
            "watt",
            [Query(_most("tts_gpu_power_watts"), NAME)],
            About(
                "Power of the GPU.",
                "low when idle, near its limit under load.",
                f"always at the limit: its clock is reduced. {ABSENT.capitalize()}",
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
                f"above 85 °C it throttles: check the cooling. {ABSENT.capitalize()}",
            ),
            width=6,
            steps=HEAT,
            decimals=0,
        ),
    ),
)

MEMORY: Final = Row(
    "Memory: what uses it?",
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
                "Total and used memory (NVML), memory reserved by torch, and memory allocated to tensors within that.",
                "used is slightly above reserved: the difference is CUDA itself, about 500 MB.",
                "used far above reserved: another program. Reserved far above allocated: after a large request, "
                "torch keeps the memory for reuse.",
                "PhonoscopeGpuMemoryPressure",
            ),
            width=12,
            colours={"total.*": GREY, "used.*": RED, "torch reserved.*": ORANGE, "torch allocated.*": BLUE},
            links=(to_logs("Log lines of the engine", '| event=~"engine_raised|gpu_telemetry_lost"'),),
        ),
        graph(
            "Memory of other programs, and unused by torch",
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
                "Used memory that torch did not reserve, and reserved memory without tensors.",
                "both constant.",
                "the first rises: another program on this GPU. The second rises: requests of different lengths "
                "fragment torch's memory.",
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
                "Busy time of the GPU, and busy time of the engine thread.",
                "they move together.",
                "only the engine is busy: the CPU is the bottleneck. Only the GPU is busy: another program uses it.",
            ),
            colours={"GPU.*": BLUE, "engine.*": PURPLE},
        ),
        graph(
            "Power over time",
            "watt",
            [Query(_most("tts_gpu_power_watts"), NAME)],
            About(
                "Power of the GPU.",
                "follows utilisation.",
                "constant at the maximum: the power limit reduces the clock, and the real-time factor rises.",
            ),
        ),
        graph(
            "Temperature over time",
            "celsius",
            [Query(_most("tts_gpu_temperature_celsius"), NAME)],
            About(
                "The GPU's core temperature.",
                "below 75 °C under load.",
                "above 85 °C it throttles: check the cooling and other GPUs nearby.",
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
                "Share of time in which tensor cores and memory are active; utilisation only shows that a kernel ran.",
                "both rise with load.",
                "both low while the GPU is busy: batches are small, and kernel launches dominate.",
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
                "Used and free memory, from DCGM.",
                "agrees with NVML above.",
                "it differs: the two report different GPUs.",
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
                "at its maximum under load.",
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
                "find the number in NVIDIA's list of XID errors; 48, 63, 79, 94 are hardware: drain the machine.",
            ),
            width=6,
            lines=((1, RED),),
        ),
    ),
)

BOARD: Final = Board(
    "gpu",
    "GPU",
    "Memory, utilisation, power and temperature of the GPUs. Empty for servers on CPUs.",
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
