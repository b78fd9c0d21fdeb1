import tailwind from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

import manifest from './package.json' with { type: 'json' };

export default defineConfig(({ command, mode }) => ({
  plugins: [react(), tailwind()],
  define: {
    // The simulated worker is compiled in for `vite dev`, for the tests and for `--mode fake` alone, so that
    // the app that people install cannot show invented figures.
    __WITH_FAKE__: JSON.stringify(command === 'serve' || mode === 'fake' || mode === 'test'),
    __APP_VERSION__: JSON.stringify(manifest.version),
  },
  // The shell's content security policy allows no `data:` fonts, so nothing is inlined.
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 900 },
  // Tauri's development URL names this port; another one would leave its window empty.
  server: { port: 5173, strictPort: true },
  test: {
    environment: 'jsdom',
    setupFiles: ['tests/setup.ts'],
    include: ['tests/**/*.test.{ts,tsx}'],
    css: false,
    restoreMocks: true,
    // Walks through the whole wizard take a few seconds on a busy two-core machine.
    testTimeout: 30_000,
  },
}));
