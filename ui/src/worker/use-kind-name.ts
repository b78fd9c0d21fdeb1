import { useTranslation } from 'react-i18next';

const known = ['wgsl', 'infer', 'train', 'prove', 'store'] as const;

/** The name of a job kind such as `wgsl/1`; an unknown one is shown as it is. */
export function useKindName(): (kind: string) => string {
  const { t } = useTranslation();
  return (kind) => {
    const name = known.find((candidate) => kind.startsWith(`${candidate}/`));
    return name ? t(`kind.${name}`) : kind;
  };
}
