/// <reference types="vite/client" />

/** Whether the simulated worker is compiled in; see vite.config.ts. */
declare const __WITH_FAKE__: boolean;

/** The version in package.json, which is the app's. */
declare const __APP_VERSION__: string;
