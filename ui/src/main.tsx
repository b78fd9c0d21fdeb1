import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import './app.css';
import { App, OutsideTheApp } from './app';
import { chooseBackend } from './backend/choose';
import { setUpLanguages } from './i18n/setup';
import { setUpTheme } from './theme';

async function start(): Promise<void> {
  setUpTheme();
  const [backend] = await Promise.all([chooseBackend(), setUpLanguages()]);
  const root = document.getElementById('root');
  if (!root) throw new Error('index.html has no #root');
  createRoot(root).render(<StrictMode>{backend ? <App backend={backend} /> : <OutsideTheApp />}</StrictMode>);
}

void start();
