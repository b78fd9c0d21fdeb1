// Fails when the simulated worker, or anything that the content security policy forbids, is in the bundle.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const dist = new URL('../dist/', import.meta.url).pathname;
const files = readdirSync(dist, { recursive: true })
  .map((name) => join(dist, name))
  .filter((path) => statSync(path).isFile());

const complaints = [];
for (const path of files.filter((p) => /\.(js|html|css)$/.test(p))) {
  const text = readFileSync(path, 'utf8');
  if (text.includes('lull-simulated-worker')) complaints.push(`${path}: holds the simulated worker`);
  if (path.endsWith('.html') && /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/.test(text))
    complaints.push(`${path}: holds an inline script or style`);
  if (path.endsWith('.css') && /url\(\s*["']?(https?:|\/\/)/.test(text))
    complaints.push(`${path}: fetches from elsewhere`);
}
if (complaints.length > 0) {
  console.error(complaints.join('\n'));
  process.exit(1);
}
const bytes = files.reduce((sum, path) => sum + statSync(path).size, 0);
console.log(`bundle: ${files.length} files, ${(bytes / 1024).toFixed(0)} KiB, no simulated worker, no inline code`);
