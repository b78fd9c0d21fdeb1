import type { DeviceInfo } from '../../bindings/DeviceInfo';
import type { HardwareReport } from '../../bindings/HardwareReport';
import type { SandboxPart } from '../../bindings/SandboxPart';

const GIB = 1024 ** 3;

const desktopCard: DeviceInfo = {
  index: 0,
  name: 'NVIDIA GeForce RTX 4070',
  vendor: 'NVIDIA',
  kind: 'discrete',
  backend: 'vulkan',
  driver: 'NVIDIA 575.64.03',
  pci_bus_id: '0000:01:00.0',
  vram_bytes: 12 * GIB,
  storage_buffer_bytes_max: 2 * GIB - 4,
  features: ['f16', 'subgroup', 'timestamp_query'],
};

/** A device whose platform tells nothing of its load, heat or power, as most integrated ones. */
const integratedChip: DeviceInfo = {
  index: 1,
  name: 'AMD Radeon 780M',
  vendor: 'AMD',
  kind: 'integrated',
  backend: 'vulkan',
  driver: 'radv Mesa 25.1.4',
  pci_bus_id: '0000:0c:00.0',
  vram_bytes: null,
  storage_buffer_bytes_max: 2 * GIB - 4,
  features: ['f16', 'subgroup'],
};

/** As on Windows, where one part is missing. */
export const simulatedSandbox: SandboxPart[] = [
  { holds: true, words: 'no other processes' },
  { holds: true, words: 'low integrity: writes to no file and no key of the user; no privileges' },
  { holds: true, words: 'memory: at most 8192 MiB' },
  { holds: false, words: "a ban of reading the user's files and of the network" },
];

export const simulatedHardware: HardwareReport = {
  os: 'Debian GNU/Linux 12',
  cpu: 'AMD Ryzen 7 7800X3D',
  cpu_threads: 16,
  memory_bytes: 32 * GIB,
  devices: [desktopCard, integratedChip],
};
