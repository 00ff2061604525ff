"""Twenty answers and more that try to run a script, load something from elsewhere or leave their box.

Each sets window.hit, asks ELSEWHERE for something, or tampers with the page, if it is let.
"""

from __future__ import annotations

ELSEWHERE = "http://elsewhere.invalid"

HOSTILE = {
    "script": "<script>window.hit='script'</script>",
    "image-error": "<img src=x onerror=\"window.hit='image-error'\">",
    "image-elsewhere": f"![a kitten]({ELSEWHERE}/kitten.png) and ![][r]\n\n[r]: {ELSEWHERE}/reference.png",
    "html-image": f'<img src="{ELSEWHERE}/html.png"><picture><source srcset="{ELSEWHERE}/set.png"></picture>',
    "svg": "<svg onload=\"window.hit='svg'\"><script>window.hit='svg'</script></svg>",
    "svg-data-image": "![x](data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=)",
    "javascript-link": "[click me](javascript:window.hit='link') [and me](JaVaScRiPt:window.hit='link')",
    "entity-link": "[click me](&#106;avascript:window.hit='entity') <javascript:window.hit='auto'>",
    "data-link": "[click me](data:text/html,<script>window.hit='data'</script>)",
    "link-quotes": "[x](http://ok.invalid/\"onmouseover=\"window.hit='quotes' 'title\" onclick=\"window.hit=1')",
    "iframe": f"<iframe src=\"javascript:parent.hit='iframe'\"></iframe><iframe src='{ELSEWHERE}/frame'></iframe>",
    "object": f"<object data='{ELSEWHERE}/o'></object><embed src='{ELSEWHERE}/e'><video src='{ELSEWHERE}/v' autoplay>",
    "style": f"<style>@import '{ELSEWHERE}/s.css'; body {{ display: none }}</style>"
    f"<link rel=stylesheet href='{ELSEWHERE}/l.css'>",
    "breakout": '</div></section></main></div><div style="position:fixed;inset:0;background:red">mine</div>',
    "comment": "<!-- --><img src=x onerror=window.hit='comment'><!-- <p title=\"--><script>window.hit=1</script>\">",
    "mutation": "<math><mtext><table><mglyph><style><img src=x onerror=window.hit='mutation'>",
    "template": "${window.hit='template'} {{constructor.constructor('window.hit=1')()}} {% raw %} {{ 7*7 }}",
    "meta": f"<meta http-equiv=refresh content='0;url={ELSEWHERE}/meta'><base href='{ELSEWHERE}/'>",
    "form": f"<form action='{ELSEWHERE}/f'><button autofocus onfocus=window.hit='form'>go</button></form>",
    "clobber": '<a id="content" name="arenaHard"></a><img name="body"><form id="f-model"></form>\n\n# content {#content}',
    "fence-info": "```\"><script>window.hit='fence'</script>\ncode </code></pre><script>window.hit='fence'</script>\n```",
    "math-link": "$\\href{javascript:window.hit='math'}{x}$ \\[ \\text{<img src=x onerror=window.hit='math'>} \\]",
    "math-elsewhere": f"$$\\includegraphics{{{ELSEWHERE}/m.png}}$$ $\\style{{background:url({ELSEWHERE}/b.png)}}{{x}}$",
    "details": "<details open ontoggle=window.hit='details'><summary>s</summary></details>",
    "table": "| a | b |\n|--|--|\n| <img src=x onerror=window.hit='table'> | <script>window.hit=1</script> |",
    "unclosed": "```html\n<script>window.hit='unclosed'</script>\n" + "<div>" * 200,
    "wide": "x" * 5000 + "\n\n" + "| " + " | ".join(["wide"] * 80) + " |\n" + "|--" * 80 + "|\n\n`" + "y" * 3000 + "`",
    "deep": ">" * 400 + " deep " + "[" * 3000 + "*a" * 2000 + "\n" + "- " * 300,
    "bidi": "safe \u202ecod.exe\u202c \u2066hidden\u2069 \u200bzero \x00nul \x1b[31mred",
    "verdict-mark": "\ue000<b onclick=window.hit='mark'>\ue001 [[A>B<script>window.hit='mark'</script>]] [[A>>B]]",
}
