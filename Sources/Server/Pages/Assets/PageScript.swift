/// What pages can do where scripts run; they are whole without it. It makes no HTML: after an event a live page is read anew, and what is
/// other is put in. A part keeps its place, an unfolded one stays so, what the reader is at is not taken away, and a log grows at its end.
/// A link to a line that the page leaves out leads to the piece that has it.
enum PageScript {
    /// As browsers get it: without the spaces that only people need. None of the strings in it has them.
    static let text =
        source.split(separator: "\n").map { $0.drop { $0 == " " } }.joined(separator: "\n")
        .replacing(" => ", with: "=>").replacing(" = ", with: "=") + "\n"

    private static let source = """
        'use strict';
        (() => {
        const doc = document, here = location, body = doc.body, began = Date.now(), told = Date.parse(doc.documentElement.dataset.now);
        const $ = id => doc.getElementById(id), all = (what, of = doc) => of.querySelectorAll(what);
        const length = s => s < 60 ? `${s} s` : s < 3600 ? `${s / 60 | 0} min` : s < 172800 ? `${s / 3600 | 0} h` : `${s / 86400 | 0} d`;
        setInterval(() => {
          for (const time of all('time')) {
            const gap = Math.round((told + Date.now() - began - Date.parse(time.dateTime)) / 1000), text = time.textContent;
            time.textContent = /^in | ago$/.test(text) ? gap < 0 ? `in ${length(-gap)}` : `${length(gap)} ago` : length(Math.max(gap, 0));
          }
        }, 1000);
        let follow, busy, again;
        const end = on => {
          if (on != null) body.classList.toggle('follow', follow = on);
          if (follow) [...all('[open] .log p')].pop()?.scrollIntoView({ block: 'nearest' });
        };
        const range = () => here.hash.match(/^#(\\d+):(\\d+)(?:-(\\d+))?$/) ?? [];
        const mark = () => {
          for (const line of all('.on')) line.classList.remove('on');
          if (here.hash === '#follow') end(true);
          const [, step, from, to = from] = range(), first = $(`${step}:${from}`);
          if (!step) return;
          if (!first) return here.search.includes('line=') || here.replace(`?line=${step}:${from}${here.hash}`);
          first.closest('details').open = true;
          for (let n = +from; n <= Math.min(to, +from + 2e3); n++) $(`${step}:${n}`)?.classList.add('on');
          first.scrollIntoView({ block: 'center' });
        };
        onhashchange = mark;
        onclick = e => {
          const to = e.target.closest('a, button'), [, step, from] = range(), link = to?.hash?.split(':');
          if (to?.id === 'follow') end(true);
          if (to?.dataset.copy) navigator.clipboard?.writeText(to.dataset.copy).then(() => to.classList.add('done'));
          if (!e.shiftKey || !step || link?.[0] !== '#' + step) return;
          e.preventDefault();
          here.hash = `${step}:${Math.min(from, link[1])}-${Math.max(from, link[1])}`;
        };
        const key = node => node.id || node.nodeName + node.getAttribute?.('aria-labelledby');
        const grow = (log, fresh) => {
          let gap;
          for (const part of all('p, .gap', fresh)) {
            if (part.id && !$(part.id)) log.append(...gap ? [gap, part] : [part]);
            gap = !part.id && part;
          }
        };
        const merge = (old, now) => {
          if (old.isEqualNode(now)) return;
          if (!now.attributes) return old.nodeValue = now.nodeValue;
          if (old.matches('.log')) return grow(old, now);
          for (const { name } of [...old.attributes, ...now.attributes])
            if (name !== 'open') now.hasAttribute(name) ? old.setAttribute(name, now.getAttribute(name)) : old.removeAttribute(name);
          const left = [...old.childNodes];
          let last;
          for (const child of [...now.childNodes]) {
            const at = left.findIndex(one => key(one) === key(child));
            if (at < 0) {
              last ? last.after(child) : old.prepend(child);
              last = child;
            } else merge(last = left.splice(at, 1)[0], child);
          }
          for (const one of left) if (!one.contains(doc.activeElement)) one.remove();
        };
        const load = async () => {
          again = busy;
          if (busy) return;
          busy = true;
          try {
            const answer = await fetch(here.pathname + here.search, { headers: { 'Slipway-Live': 1 } }),
              page = new DOMParser().parseFromString(await answer.text(), 'text/html');
            if (page.scripts[0].src !== doc.scripts[0].src) return here.reload();
            doc.title = page.title;
            for (const id of ['queue', 'main']) merge($(id), page.getElementById(id));
            end();
          } catch {}
          setTimeout(() => { busy = false; if (again) load(); }, 400);
        };
        mark();
        if (body.dataset.live && !here.search.includes('live=0')) {
          const stream = new EventSource(body.dataset.live), live = $('live');
          stream.onopen = () => { if (live.textContent) load(); live.textContent = ''; };
          stream.onerror = () => live.textContent = 'Reconnecting';
          for (const kind of 'cycle build step output pushed commit failure missed'.split(' ')) stream.addEventListener(kind, load);
        }
        window.onwheel = window.ontouchmove = () => end(false);
        onkeydown = e => {
          if (/^(ArrowUp|PageUp|Home)$/.test(e.key)) end(false);
          if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input')) return;
          if (e.key === 'f') end(true);
          if (e.key !== '/') return;
          e.preventDefault();
          ($('lq') ?? $('q')).focus();
        };
        })();
        """
}
