/// What pages can do where scripts run; they are whole without it. It makes no HTML.
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
          addEventListener('click', event => {
            const button = event.target.closest('[data-copy]');
            if (!button) return;
            navigator.clipboard?.writeText(button.dataset.copy).then(() => {
              button.classList.add('done');
              setTimeout(() => button.classList.remove('done'), 1500);
            });
          });
          addEventListener('keydown', event => {
            if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input')) return;
            event.preventDefault();
            (document.getElementById('lq') ?? document.getElementById('q')).focus();
          });
        })();
        """
}
