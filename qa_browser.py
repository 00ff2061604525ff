"""Look at every question, answer and judgment of a benchmark in the web browser.

python qa_browser.py                                the benchmark of config/judge_config.yaml, else the demo
python qa_browser.py --data-dir /path/to/data       benchmarks in another folder
python qa_browser.py --host 0.0.0.0 --auth me:word  open it to the network, with a password
python qa_browser.py --export site                  the pages as files that open from disk
"""

from __future__ import annotations

if __name__ == "__main__":  # before what takes long to import
    from arena_hard.data import interrupts

    interrupts.end_at_once()

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import utils
from arena_hard.browse.listening import port_for, port_number
from arena_hard.data import environment, secret_sources, secrets
from arena_hard.data.records import UserError
from arena_hard.showing.config_values import CONFIG

if TYPE_CHECKING:
    from arena_hard.browse.site import Site

LOCAL = ("127.0.0.1", "localhost", "::1")
AUTH_VARIABLE = "ARENA_HARD_AUTH"
PARTS = Path(__file__).parent / "arena_hard" / "browse"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Look at every question, answer and judgment of a benchmark in the web browser.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(__doc__ or "").partition("\n\n")[2],
    )
    utils.add_version(parser)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on; any other than localhost needs --auth")
    add("--port", type=port_number, help="port to listen on (default: the first free one from 7860)")
    add("--share", action="store_true", help="open a public link through Gradio's servers; needs --auth")
    add(
        *("--config-file", "--setting-file"),
        type=Path,
        default=CONFIG,
        help="the judge's config (default: %(default)s)",
    )
    add("--data-dir", type=Path, default=Path("data"), help="the folder with the benchmarks (default: %(default)s)")
    add("--auth", metavar="USER:PASSWORD", help=f"ask for this name and password (or set {AUTH_VARIABLE})")
    add("--no-auth", action="store_true", help="open it to others without a password")
    add("--export", type=Path, metavar="FOLDER", help="write the pages into a folder instead of serving them")
    return parser.parse_args()


# --------------------------------------------------------------------------------------- safety


def checked_auth(args: argparse.Namespace) -> tuple[str, str] | None:
    """User and password, or None for a page that only this machine reaches. Raises UserError."""
    text = args.auth or os.environ.get(AUTH_VARIABLE)
    secret_sources.know_login(text or "")
    if text and not args.no_auth:
        user, colon, password = text.partition(":")
        if not user or not colon or not password:
            raise UserError("--auth expects USER:PASSWORD, both of them not empty.")
        return user, password
    if (args.share or args.host not in LOCAL) and not args.no_auth:
        place = "--share" if args.share else f"--host {args.host}"
        raise UserError(
            f"{place} lets others read everything in {args.data_dir}/. Give a password with --auth USER:PASSWORD "
            f"(or {AUTH_VARIABLE} in the environment), or say --no-auth if everybody may read it."
        )
    return None


def load_site(args: argparse.Namespace) -> Site:
    """The benches of the data folder, with the judge's config where there is one."""
    from arena_hard.browse.site import Site

    if not args.data_dir.is_dir():
        raise UserError(f"{args.data_dir}/ is not a directory. Name the one with the benchmarks with --data-dir.")
    wanted = args.config_file != CONFIG or args.config_file.is_file()
    settings = utils.load_judge_settings(args.config_file) if wanted else None
    return Site(args.data_dir, settings, config_file=args.config_file)


# ------------------------------------------------------------------------------------------ page


def build_app(site: Site) -> Any:
    """The Gradio app: one HTML component that asks the server for the page of an address."""
    import gradio as gr

    def show_page(address: str) -> str:
        return secrets.mask(site.show(str(address)))

    def decide(decision: dict[str, Any]) -> str:
        bench, judge, name, label, mark = (str(decision[key]) for key in ("bench", "judge", "name", "label", "mark"))
        return site.decide(bench, judge, name, int(decision["place"]), label, mark)

    script = (PARTS / "page.js").read_text(encoding="utf-8")
    start = "\narenaHard(element, (address) => server.show_page(address), (decision) => server.decide(decision));"
    with gr.Blocks(title="Arena-Hard browser", analytics_enabled=False) as app:
        gr.HTML(
            html_template='<div data-spoken class="spoken" aria-live="polite"></div>'
            '<div data-room><div class="ah"><p class="loading">Loading…</p></div></div>',
            js_on_load=script + start,
            server_functions=[show_page, decide],
            apply_default_css=False,
        )
    return app


def serve(site: Site, args: argparse.Namespace, auth: tuple[str, str] | None) -> None:
    """Serve until Ctrl-C."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read while gradio is imported
    if args.share:
        environment.reach_out("https://api.gradio.app")
    else:
        environment.stay_on_this_machine()  # gradio asks itself whether it is up
    port = port_for(args.host, args.port)
    from gradio.themes import Base
    from starlette.middleware import Middleware

    from arena_hard.browse.web_guard import Guard

    site.in_background = True
    hosts = LOCAL if args.host in LOCAL and not args.share else None
    app = build_app(site)
    try:
        _, address, public = app.launch(
            server_name=args.host,
            server_port=port,
            share=args.share,
            auth=auth,
            quiet=True,
            prevent_thread_lock=True,
            ssr_mode=False,
            run_history=False,
            enable_monitoring=False,
            footer_links=[],
            theme=Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
            head=f"<style>{(PARTS / 'page.css').read_text(encoding='utf-8')}</style>",  # css= would be rewritten
            app_kwargs={"middleware": [Middleware(Guard, hosts=hosts)]},
        )
    except OSError as error:
        raise UserError(f"Cannot listen on port {port} of {args.host}. Name another one by --port. ({error})") from None
    print(
        f"The browser is at {address}",
        *([f"and, for others, at {public}"] if public else []),
        "(Ctrl-C ends it)",
        flush=True,
    )
    app.block_thread()


def write_files(site: Site, folder: Path) -> int:
    """Write the pages into a folder."""
    from tqdm import tqdm

    from arena_hard.browse.export import export

    number = export(site, folder, lambda games: tqdm(games, desc="games", unit="game", disable=None))
    print(f"{number:,} pages are in {folder}/; open {folder / 'index.html'}")
    return 0


def main() -> int:
    args = parse_arguments()
    auth = None if args.export else checked_auth(args)
    site = load_site(args)
    if args.export:
        return write_files(site, args.export)
    serve(site, args, auth)
    return 0


if __name__ == "__main__":
    utils.run_main(main)
