import 'i18next';

import type en from './en.json';

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'translation';
    // Makes a key that is in no catalogue an error of the type checker.
    resources: { translation: typeof en };
  }
}
