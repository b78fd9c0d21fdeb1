import type { Backend } from './backend';

/** The backend of this window; `null` in a plain browser that has no worker to show. */
export async function chooseBackend(): Promise<Backend | null> {
  if ('__TAURI_INTERNALS__' in window) return (await import('./tauri')).tauriBackend;
  if (__WITH_FAKE__) {
    const { fakeBackendFromLocation } = await import('./fake/from-location');
    return fakeBackendFromLocation(window.location.search);
  }
  return null;
}
