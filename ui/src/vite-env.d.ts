/// <reference types="vite/client" />

/** Whether the simulated worker is compiled in; see vite.config.ts. */
declare const __WITH_FAKE__: boolean;
