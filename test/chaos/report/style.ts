// The report's style sheet, light and dark. Colours of faults stay apart for readers who see few colours.
export const style = `
:root{color-scheme:light dark;--paper:#fbfaf8;--ink:#1d2126;--soft:#5d6670;--line:#dcdad5;--card:#fff;
--process:#c2410c;--pause:#b7860b;--network:#1d6fb8;--disk:#7a3fb0;--other:#4d7c6f;
--leader:#1f8a5b;--follower:#d5dbdf;--silent:#f3d5cf;--on-bar:#fff;
--ack:#5b8fc7;--fail:#4a5058;--p50:#1f8a5b;--p99:#b7860b;--good:#1f8a5b;--bad:#b42318;--maybe:#b7860b}
@media (prefers-color-scheme:dark){:root{--paper:#15181b;--ink:#e6e8ea;--soft:#9aa4ad;--line:#30363b;--card:#1c2024;
--process:#f0743e;--pause:#e0b03a;--network:#5aa9ee;--disk:#b98aea;--other:#7fb8a6;
--leader:#3fbf85;--follower:#343b41;--silent:#5a2f2a;--on-bar:#15181b;
--ack:#4d80b8;--fail:#c3cad1;--p50:#3fbf85;--p99:#e0b03a;--good:#3fbf85;--bad:#ff7a6b;--maybe:#e0b03a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1280px;margin:0 auto;padding:28px 24px 64px}
h1{font-size:26px;margin:0 0 2px;letter-spacing:-.01em}
h2{font-size:17px;margin:38px 0 10px}
p{margin:6px 0}.sub,.note,small{color:var(--soft)}.note,small{font-size:13px}
.outcome{font-size:17px;font-weight:600;display:flex;align-items:center;gap:10px;margin:16px 0}
.sign{width:14px;height:14px;border-radius:50%;flex:none}
.clean .sign{background:var(--good)}.violation .sign{background:var(--bad);border-radius:0}.void .sign{background:none;border:3px solid var(--maybe)}
.violation{color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(270px,1fr));gap:10px;margin:18px 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 14px}
.tile dt{color:var(--soft);font-size:13px}.tile dd{margin:0;font-size:24px;font-weight:600;font-variant-numeric:tabular-nums}
svg{display:block;width:100%;height:auto;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 8px 4px;margin:0 0 12px;overflow:visible}
svg text{font:11px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink)}
svg .tick,svg .caption{fill:var(--soft)}svg .tick{font-size:10px;font-variant-numeric:tabular-nums}
svg .name{font-size:9px;fill:var(--on-bar);font-weight:600;pointer-events:none}svg .term{font-size:10px;fill:var(--on-bar);font-weight:600;pointer-events:none}
.grid{stroke:var(--line);stroke-width:1}.cursor[x1='-9']{display:none}.cursor{stroke:var(--ink);stroke-width:1;stroke-dasharray:2 2}
.process{fill:var(--process);background:var(--process)}.pause{fill:var(--pause);background:var(--pause)}.network{fill:var(--network);background:var(--network)}
.disk{fill:var(--disk);background:var(--disk)}.other{fill:var(--other);background:var(--other)}
rect.void{fill:none;stroke:var(--bad);stroke-width:2;stroke-dasharray:3 2}
.leader{fill:var(--leader);background:var(--leader)}.follower{fill:var(--follower);background:var(--follower)}.silent{fill:var(--silent);background:var(--silent)}
.busy{fill:var(--soft);background:var(--soft)}i.busy{height:5px!important}
.acknowledged{fill:var(--ack);background:var(--ack)}.failed{fill:var(--fail);background:var(--fail)}
path.p50,path.p99{fill:none;stroke-width:1.5;stroke-linejoin:round;stroke-linecap:round}path.p50{stroke:var(--p50)}path.p99{stroke:var(--p99)}
i.p50{background:var(--p50)}i.p99{background:var(--p99)}i.p50,i.p99{height:3px!important}
.point{fill:var(--network);fill-opacity:.75}.point.mixed{fill:none;stroke:var(--network);stroke-width:1.5}.point.never{fill:var(--bad)}
.mark{stroke-width:2}.mark.start{stroke:var(--ink)}.mark.end{stroke:var(--ink);stroke-dasharray:4 3}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;padding:0;margin:0 0 10px;font-size:13px;color:var(--soft)}
.legend li{display:flex;align-items:center;gap:6px}
i{display:inline-block;width:12px;height:12px;border-radius:2px;flex:none}td i{margin-right:7px;vertical-align:-1px}
.scroll{overflow:auto;max-height:520px;border:1px solid var(--line);border-radius:8px;background:var(--card);margin:0 0 8px}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th{position:sticky;top:0;background:var(--card);text-align:left;font-weight:600;color:var(--soft);box-shadow:0 1px 0 var(--line)}
th,td{padding:6px 12px;vertical-align:top}td{border-top:1px solid var(--line);overflow-wrap:anywhere}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code{display:block;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 14px;font:13px ui-monospace,monospace;overflow-x:auto;white-space:pre}
#moment{position:fixed;pointer-events:none;background:var(--ink);color:var(--paper);font-size:12.5px;padding:6px 10px;border-radius:6px;white-space:pre-line;max-width:340px;z-index:2}
#moment[hidden]{display:none}
`;
