// The page's only script: what was at the moment under the pointer. Everything can be read without it.
export const momentScript = `
'use strict';
const run = JSON.parse(document.getElementById('run').textContent);
const box = document.getElementById('moment');
const two = (n) => String(n).padStart(2, '0');
const ms = (n) => (n === null ? 'none' : n < 1000 ? Math.round(n) + ' ms' : (n / 1000).toFixed(2) + ' s');
for (const svg of document.querySelectorAll('svg.timeline')) {
  const { from, to, left, right } = Object.fromEntries(
    Object.entries(svg.dataset).map(([key, value]) => [key, Number(value)]));
  const cursor = svg.querySelector('.cursor');
  svg.addEventListener('pointermove', (event) => {
    const x = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
    const atMs = from + ((x - left) / (right - left)) * (to - from);
    const outside = x < left || x > right;
    box.hidden = outside;
    cursor.setAttribute('x1', outside ? -9 : x);
    cursor.setAttribute('x2', outside ? -9 : x);
    if (outside) return;
    const [done, failed, p50, p99] = run.seconds[Math.floor(atMs / 1000)] ?? [0, 0, null, null];
    const active = run.faults.filter((fault) => fault[0] <= atMs && atMs <= fault[1]);
    box.textContent = [
      two(Math.floor(atMs / 60000)) + ':' + two(Math.floor(atMs / 1000) % 60),
      done + ' acknowledged, ' + failed + ' not',
      'p50 ' + ms(p50) + ', p99 ' + ms(p99),
      ...active.map((fault) => fault[2]),
    ].join('\\n');
    box.style.left = Math.min(event.clientX + 14, innerWidth - 350) + 'px';
    box.style.top = event.clientY + 14 + 'px';
  });
  svg.addEventListener('pointerleave', () => {
    box.hidden = true;
    cursor.setAttribute('x1', -9);
    cursor.setAttribute('x2', -9);
  });
}
document.documentElement.dataset.ready = 'yes';
`;
