import { useTranslation } from 'react-i18next';

import type { DeviceView } from '../bindings/DeviceView';
import { formatGibibytes, writeMeasure } from '../format/measure';

/** What the network itself has timed on a device, one line each; nothing before it has. */
export function NetworkTimings({ device }: { device: DeviceView }) {
  const { t, i18n } = useTranslation();
  const { timed_gigaflops: products, timed_memory_bytes: memory } = device;
  const lines = [
    products === null ? null : t('settings.timed_by_network', { value: writeMeasure('gemm_fp32', products, i18n.language) }),
    memory === null ? null : t('settings.memory_proven', { value: `${formatGibibytes(memory, i18n.language)} GiB` }),
  ].filter((line) => line !== null);
  return lines.map((line) => (
    <p key={line} className="figures">
      {line}
    </p>
  ));
}
