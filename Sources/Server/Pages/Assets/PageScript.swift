/// What pages can do where scripts run; they are whole without it. It makes no HTML: after an event a live page is read again, and what is
/// other is put in, unless the reader is at it. A log grows at its end and is never replaced. A link to a line that the page leaves out
/// leads to the piece that has it.
enum PageScript {
    static let text = """
        'use strict';
        (() => {
          const began = Date.now(), told = Date.parse(document.documentElement.dataset.now);
          const length = s => s < 60 ? `${s} s` : s < 3600 ? `${s / 60 | 0} min` : s < 172800 ? `${s / 3600 | 0} h` : `${s / 86400 | 0} d`;
          const tick = () => {
            const now = told + Date.now() - began;
            for (const time of document.querySelectorAll('time')) {
              const gap = Math.round((now - Date.parse(time.dateTime)) / 1000), text = time.textContent;
              time.textContent = text.endsWith(' ago') || text.startsWith('in ')
                ? gap < 0 ? `in ${length(-gap)}` : `${length(gap)} ago` : length(Math.max(gap, 0));
            }
          };
          setInterval(tick, 1000);
          let follow = location.hash === '#follow', busy = false, again = false;
          addEventListener('click', event => {
            if (event.target.closest('#follow')) follow = true;
            const button = event.target.closest('[data-copy]');
            if (!button) return;
            navigator.clipboard?.writeText(button.dataset.copy).then(() => {
              button.classList.add('done');
              setTimeout(() => button.classList.remove('done'), 1500);
            });
          });
          const key = part => part.getAttribute('aria-labelledby') ?? part.tagName + part.className;
          const grow = (log, fresh) => {
            for (const line of fresh.querySelectorAll('p')) if (!document.getElementById(line.id)) log.append(line);
            if (follow) { log.scrollTop = log.scrollHeight; log.lastElementChild.scrollIntoView({ block: 'nearest' }); }
          };
          const show = page => {
            const main = document.getElementById('main');
            let old = main.firstElementChild;
            document.title = page.title;
            document.getElementById('queue').replaceWith(page.getElementById('queue'));
            for (const part of [...page.getElementById('main').children]) {
              let same = old;
              while (same && key(same) !== key(part)) same = same.nextElementSibling;
              if (!same) { main.insertBefore(part, old); continue; }
              while (old !== same) { const gone = old; old = old.nextElementSibling; gone.remove(); }
              old = old.nextElementSibling;
              const log = same.querySelector('.log'), fresh = part.querySelector('.log');
              if (log && fresh) grow(log, fresh);
              else if (same.outerHTML !== part.outerHTML && !same.contains(document.activeElement) && !same.querySelector('details[open]')) same.replaceWith(part);
            }
            while (old) { const gone = old; old = old.nextElementSibling; gone.remove(); }
          };
          const load = async () => {
            again = busy;
            if (busy) return;
            busy = true;
            try {
              const answer = await fetch(location.href.split('#')[0], { headers: { Accept: 'text/html' } });
              if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), 'text/html'));
            } catch { again = true; }
            setTimeout(() => { busy = false; if (again) load(); }, 400);
          };
          const line = location.hash.match(/^#L(\\d+)$/);
          if (line && !location.search && !document.getElementById('L' + line[1])) location.replace('?line=' + line[1] + location.hash);
          if (document.body.dataset.live && !location.search.includes('live=0')) {
            const stream = new EventSource(document.body.dataset.live), live = document.getElementById('live');
            stream.onopen = () => { live.textContent = ''; };
            stream.onerror = () => { live.textContent = 'Reconnecting'; };
            for (const kind of ['cycle', 'build', 'step', 'output', 'pushed', 'commit', 'failure', 'missed']) stream.addEventListener(kind, load);
          }
          for (const kind of ['wheel', 'touchmove']) addEventListener(kind, () => { follow = false; }, { passive: true });
          addEventListener('keydown', event => {
            if (['ArrowUp', 'PageUp', 'Home'].includes(event.key)) follow = false;
            if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input')) return;
            if (event.key === 'f') follow = true;
            if (event.key !== '/') return;
            event.preventDefault();
            (document.getElementById('lq') ?? document.getElementById('q')).focus();
          });
        })();
        """
}
