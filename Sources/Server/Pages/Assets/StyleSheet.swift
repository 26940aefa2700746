/// How pages look: light and dark, from 320 px to wide. Text has a contrast of 4.5 on each of its grounds, edges of controls 3.
enum StyleSheet {
    static let text = colours + page + controls + tables + builds + narrow

    private static let colours = """
        :root {
          color-scheme: light dark;
          --page: #f5f7f9; --card: #fff; --sunk: #edf1f4; --text: #15202b; --mute: #536170; --line: #d9e0e7; --edge: #7d8a98;
          --link: #075f91; --focus: #0a6fc2; --bar: #0f2a3d; --mark: #fff3bf; --mix: 10%;
          --ok: #1a7038; --building: #0a5cad; --queued: #56598a; --failing: #b3232c; --stalled: #8a4f00; --held: #6b3fa6;
          --magenta: #8f2d8a; --cyan: #0b6b78;
          --sans: system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif;
          --mono: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --page: #0e1318; --card: #151b22; --sunk: #0a0e12; --text: #e3e9ef; --mute: #97a5b4; --line: #28323c; --edge: #6d7c8c;
            --link: #74bdf0; --focus: #74bdf0; --bar: #122635; --mark: #3d340b; --mix: 16%;
            --ok: #62cf86; --building: #72b6ff; --queued: #b2b5ea; --failing: #ff938e; --stalled: #f0b54f; --held: #c9a6ff;
            --magenta: #f09ae9; --cyan: #62d0de;
          }
        }
        .ok { --c: var(--ok) } .building { --c: var(--building) } .queued { --c: var(--queued) } .failing { --c: var(--failing) }
        .stalled { --c: var(--stalled) } .held { --c: var(--held) } .paused, .unknown, .cached { --c: var(--mute) }

        """

    private static let page = """
        *, ::before, ::after { box-sizing: border-box }
        html { font: 100% var(--sans); background: var(--page); color: var(--text); scroll-padding: 5rem 0 }
        body { margin: 0; font-size: .875rem; line-height: 1.25rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
        h1, h2, h3, p, ol, ul, dl, dd, pre { margin: 0; padding: 0 }
        ol, ul { list-style: none }
        h1 { font-size: 1.375rem; line-height: 1.3 }
        h2 { font-size: .9375rem; line-height: 1.5 }
        a { color: var(--link); text-decoration: none }
        a:hover, p a, dd a, .q a, .gap a { text-decoration: underline; text-underline-offset: .2em }
        :focus-visible { outline: 2px solid var(--focus); outline-offset: 2px }
        code, pre, .m { font-family: var(--mono); font-size: .92em; font-variant-ligatures: none }
        .s, dt, th, .crumbs, .st, .steps h3, .gap, footer { font-size: .8125rem }
        .mute, dt, thead th, .crumbs, .h .s, td > .s, th > .s, .gap, .log a, .copy, footer, ::placeholder { color: var(--mute) }
        .b { font-weight: 600 } .nw { white-space: nowrap } .pad { padding: .5rem 0 }
        svg.i {
          width: 1em; height: 1em; flex: none; vertical-align: -.125em; fill: none; stroke: currentColor; stroke-width: 1.75;
          stroke-linecap: round; stroke-linejoin: round
        }
        .vh { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
        .skip { position: absolute; left: 1rem; top: -4rem; z-index: 9; background: var(--card); padding: .5rem 1rem }
        .skip:focus { top: .5rem }
        .top { background: var(--bar); color: #d6e4ee; --focus: #fff }
        .top > div, main, footer { max-width: 100rem; margin: 0 auto; padding: 0 1.5rem }
        .top > div, .top dl div, .brand, .head, .h, .crumbs, .chips, .tools, footer { display: flex; flex-wrap: wrap; align-items: center }
        .top > div { gap: .5rem 1.25rem; min-height: 3rem }
        .top a { color: inherit } .top dt, .brand span { color: #9bb4c6; font-weight: 400 } .top dl div { gap: .375rem } .top dl { display: flex; flex-wrap: wrap; gap: .125rem 1.25rem }
        .brand { gap: .5rem; font-weight: 650; font-size: 1rem }
        .ship {
          width: 1.5rem; height: 1.5rem; color: #7fd0f5; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round;
          stroke-linejoin: round
        }
        .top form { flex: 0 1 22rem; margin-right: auto }
        .top input { width: 100%; background: #ffffff14; color: #fff; border-color: #6f8ea4 } .top ::placeholder { color: #a9c0d0 }
        main { padding-top: 1.25rem; padding-bottom: 4rem }
        main, .two { display: grid; gap: 1.25rem; grid-template-columns: minmax(0, 1fr); align-items: start }
        .crumbs { gap: .25rem .5rem } .crumbs li + li::before { content: "/"; margin-right: .5rem; color: var(--edge) }
        .head { gap: .5rem .75rem }
        .h { gap: .25rem .75rem; margin-bottom: .5rem; align-items: baseline } .h > .s:last-child { margin-left: auto }
        section > h2, section > nav { margin-bottom: .5rem }
        .card, table, .steps, .log, pre { background: var(--card); border: 1px solid var(--line); border-radius: .375rem }
        .card { padding: .875rem 1rem } .empty { padding: 1.5rem; text-align: center }
        .facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); gap: .75rem 1.5rem }
        .wide { grid-column: 1 / -1 }
        footer { padding: 1rem 1.5rem 2rem; gap: .25rem 1.25rem }
        @media (min-width: 70rem) { .two { grid-template-columns: minmax(0, 1fr) 19rem } }

        """

    private static let controls = """
        input, button, .btn {
          font: inherit; color: inherit; background: var(--card); border: 1px solid var(--edge); border-radius: .375rem;
          padding: .25rem .625rem; min-height: 2rem
        }
        .btn, button { display: inline-flex; align-items: center; gap: .375rem; font-weight: 550; cursor: pointer }
        .btn:hover, button:hover { background: var(--sunk); text-decoration: none }
        .btn[aria-current] { border-color: var(--text) }
        input { min-width: 0 } ::placeholder { opacity: 1 }
        .copy { min-height: 1.5rem; margin: -.25rem 0; padding: 0 .25rem; border-color: transparent; background: none }
        .copy.done { color: var(--ok) }
        .acts { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center } .head .acts { margin-left: auto }
        .act { position: relative } .act > summary { list-style: none }
        .act form {
          position: absolute; right: 0; top: 2.375rem; z-index: 3; width: 19rem; max-width: 85vw; display: grid; gap: .5rem;
          box-shadow: 0 4px 16px #0003
        }
        .act label { display: grid; gap: .25rem } .p { background: var(--text); color: var(--card); justify-content: center }
        .p:hover { background: var(--link) } :disabled { background: none; color: var(--mute); cursor: default }
        .chips { gap: .375rem }
        .chips a {
          display: inline-flex; gap: .375rem; align-items: center; padding: .125rem .625rem; min-height: 2rem;
          border: 1px solid var(--line); border-radius: 1rem; background: var(--card); color: var(--text)
        }
        .chips a[aria-current] { border-color: var(--text); box-shadow: inset 0 0 0 1px var(--text) } .chips svg { color: var(--c) }
        .st {
          display: inline-flex; align-items: center; gap: .375rem; font-weight: 600; color: var(--c); white-space: nowrap;
          padding: .0625rem .5rem .0625rem .375rem; border-radius: 1rem
        }
        .st.big { font-size: .9375rem; padding: .1875rem .75rem .1875rem .5rem }
        .st, .why, ins, del { background: color-mix(in srgb, var(--c) var(--mix), var(--card)) }
        .st.ok, .st.unknown { background: none; padding-left: 0 }
        .why { border-left: 3px solid var(--c); border-radius: 0 .375rem .375rem 0; padding: .625rem .875rem; display: grid; gap: .25rem; max-width: 64rem }
        .why > .b { color: var(--c) } .why > p { white-space: pre-line }
        #live:not(:empty)::before {
          content: ""; display: inline-block; width: .625rem; height: .625rem; margin-right: .375rem; border: 2px solid; border-radius: 50%
        }
        .building > svg.i { animation: turn 2s linear infinite }
        @keyframes turn { to { transform: rotate(1turn) } }
        @media (prefers-reduced-motion: reduce) { * { animation: none !important } }
        @media (scripting: none) { .copy { display: none } }

        """

    private static let tables = """
        table { width: 100%; border-collapse: separate; border-spacing: 0 }
        th, td { padding: .4375rem .75rem; vertical-align: top; text-align: left }
        thead th { font-weight: 500; background: var(--sunk); white-space: nowrap }
        thead th:first-child { border-top-left-radius: .375rem } thead th:last-child { border-top-right-radius: .375rem }
        tbody th { font-weight: 600; font-size: inherit }
        tbody > tr > *, .step, .steps .row + .row, .steps h3:not(:first-child), .q li + li, .lines > li + li { border-top: 1px solid var(--line) }
        td > .s, th > .s { display: block; font-weight: 400 }
        .cut { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden }
        tr.r > td { border-top: 0; padding-top: 0; padding-bottom: .75rem }
        .r .why { background: none; padding: 0 0 0 .75rem }
        .q li + li { margin-top: .625rem; padding-top: .625rem } .q .h { margin: 0 }

        """

    private static let builds = """
        .steps h3 { padding: .375rem 1rem; background: var(--sunk); border-bottom: 1px solid var(--line) }
        .row {
          display: grid; grid-template-columns: 1rem 3.5rem minmax(0, 1fr) minmax(5rem, 12rem) 5.5rem minmax(6rem, 22%); gap: .625rem;
          align-items: center; padding: .25rem 1rem; min-height: 2.125rem
        }
        .step .row { cursor: pointer; list-style: none } .step .row::-webkit-details-marker { display: none }
        .step[open] > .row { background: var(--sunk) } .axis { min-height: 1.5rem } .axis .h { margin: 0; justify-content: space-between }
        .note { padding: .5rem 1rem .5rem 6.25rem; color: var(--mute) } .steps > .note { padding-left: 1rem }
        .step .log { border-width: 1px 0 0; border-radius: 0 }
        .lines { padding: 0 1rem } .lines > li { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); padding: .625rem 0 }
        .n { position: relative; display: grid; align-content: start; gap: .125rem; padding-right: 1rem }
        .n::before { content: ""; position: absolute; left: 0; right: 0; top: .5625rem; border-top: 2px solid var(--line) }
        .n:last-child::before { display: none }
        .n:has(+ .ok)::before { border-color: var(--ok) } .n:has(+ .building)::before { border-top-style: dotted; border-color: var(--building) }
        .k { position: relative; justify-self: start; display: inline-flex; gap: .375rem; align-items: center; background: var(--card); padding-right: .5rem } .k svg { color: var(--c) }
        .stalled.b { color: var(--c) }
        .row > svg.i { color: var(--c) } .ins { white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
        .bar { width: 100%; height: .5rem; display: block } .bar rect { height: 100%; fill: var(--c) } .bar rect.t { fill: var(--sunk) }
        .log { background: var(--sunk); font: .78125rem/1.25rem var(--mono); font-variant-ligatures: none; padding: .5rem 0 }
        .log > div:not(.gap) { content-visibility: auto; contain-intrinsic-size: auto 250rem }
        .log p { display: flex; padding-right: 1rem } .log p:target, .log .on, tr.on > * { background: var(--mark) } .log p:target, .log .on { box-shadow: inset 3px 0 var(--stalled) }
        .log p > a { flex: 0 0 4.5rem; padding-right: 1rem; text-align: right; user-select: none; text-decoration: none }
        .log p > span { flex: 1; min-width: 0; white-space: pre-wrap; tab-size: 8 }
        .a0, .a8 { color: var(--mute) } .a1 { color: var(--failing) } .a2 { color: var(--ok) } .a3 { color: var(--stalled) }
        .a4 { color: var(--building) } .a5 { color: var(--magenta) } .a6 { color: var(--cyan) }
        .ab { font-weight: 700 } .ai { font-style: italic } .au { text-decoration: underline }
        .gap { padding: .375rem 1rem .375rem 4.5rem; font-family: var(--sans) }
        .tools { gap: .5rem; padding: .5rem 0 } .follow #follow { background: var(--text); color: var(--card) }
        pre { background: var(--sunk); padding: .5rem .75rem; overflow-x: auto; font-size: .78125rem; overflow-wrap: normal; margin-bottom: .5rem }
        .diff > * { display: block; text-decoration: none; margin: 0 -.75rem; padding: 0 .75rem; min-height: 1.25rem; color: var(--c, var(--mute)) }
        ins { --c: var(--ok) } del { --c: var(--failing) }

        """

    private static let narrow = """
        @media (max-width: 45rem) {
          .top > div, main, footer { padding-left: 1rem; padding-right: 1rem }
          .top > div { padding-top: .5rem; padding-bottom: .5rem } .top form { order: 9; flex: 1 0 100% }
          .head .acts { margin-left: 0; width: 100% } .act { position: static } .acts, .c td { position: relative }
          .act form { left: 0; right: auto; top: 100% }
          input { font-size: 1rem } button, .btn, .chips a { min-height: 2.5rem } .copy { min-height: 1.75rem }
          table.c, .c tbody { display: block }
          .c thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden }
          .c tr { display: grid; grid-template-columns: minmax(0, 1fr); gap: .25rem; padding: .75rem 1rem; border-top: 1px solid var(--line) }
          .c tr > * { border: 0; padding: 0 } .c tr > .first { order: -1 } .c tr > :empty { display: none }
          .c td[data-l] { position: relative; padding-left: 6.5rem; white-space: normal }
          .c td[data-l]::before { content: attr(data-l); position: absolute; left: 0; color: var(--mute); font: .8125rem/1.5 var(--sans) }
          .c tr.r { border-top: 0; padding-top: 0 } .c tr.r > td { padding-bottom: 0 }
          .row { grid-template-columns: 1rem 3rem minmax(0, 1fr) auto; gap: .25rem .5rem; padding: .5rem 1rem }
          .row > :nth-child(4) { grid-column: 3; grid-row: 2 } .axis { display: none }
          .lines > li { grid-template-columns: minmax(0, 1fr); gap: .5rem } .n::before { display: none } .note { padding-left: 1rem } .row .bar { grid-column: 1 / -1 }
          .log { line-height: 1.5rem } .log p > a { flex-basis: 3.25rem; padding-right: .625rem } .gap { padding-left: 1rem }
        }

        """
}
