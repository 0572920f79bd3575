// <on-record-ask>: ask On Record from any page. Attributes: server (its address; else where this
// file is from), transcript (an id), question (asked at once), theme (light or dark), lang (en or
// de), key. All that the server sends is text here, never markup.

(() => {
const from = document.currentScript?.src;

const WORDS = {
  en: {
    ask: "Ask", label: "Ask what was said", empty: "Type a question first.",
    busy: "Searching…", found: "Quotes found: ", none: "No answer found",
    refusal: "Nobody says that on the record.", nearest: "Nearest quotes – not an answer",
    searched: "Searched for: ", context: "In its context", failed: "That did not work.",
    silent: "On Record does not answer, or not to this page.",
    boxed: "This frame cannot ask: it is sandboxed without an origin.",
    open: "Open On Record", by: { narration: "per the report", filename: "per the file name" },
  },
  de: {
    ask: "Fragen", label: "Fragen, was gesagt wurde", empty: "Geben Sie erst eine Frage ein.",
    busy: "Wird gesucht …", found: "Gefundene Zitate: ", none: "Keine Antwort gefunden",
    refusal: "Das sagt hier niemand.", nearest: "Nächstliegende Zitate – keine Antwort",
    searched: "Gesucht: ", context: "Im Zusammenhang", failed: "Das hat nicht geklappt.",
    silent: "On Record antwortet nicht, oder nicht dieser Seite.",
    boxed: "Dieser Rahmen kann nicht fragen: Er ist ohne Herkunft (sandbox).",
    open: "On Record öffnen", by: { narration: "laut Bericht", filename: "laut Dateiname" },
  },
};

const STYLE = `
:host { all: initial; display: block; color-scheme: light dark; font: medium/1.5 system-ui, sans-serif;
  --sheet: light-dark(#fffdf8, #201d19); --ink: light-dark(#211e19, #ede7da);
  --soft: light-dark(#645c50, #b3a998); --edge: #887e6f; --accent: light-dark(#1d4e80, #a3c8f0) }
:host([theme=light]) { color-scheme: light }
:host([theme=dark]) { color-scheme: dark }
:host([hidden]) { display: none }
section { container-type: inline-size; padding: 1em; border: 1px solid #887e6f66; border-radius: 8px;
  background: var(--sheet); color: var(--ink); overflow-wrap: anywhere }
.row { display: flex; gap: .5em }
input, button { min-height: 44px; padding: 0 1em; border: 1px solid var(--edge); border-radius: 8px;
  background: var(--sheet); color: inherit; font: inherit }
input { flex: 1; min-width: 0 }
button { border: 0; background: var(--accent); color: var(--sheet); font-weight: 600; cursor: pointer }
p, figure, .box { margin: 1em 0 0 }
figcaption { margin-top: .25em }
.soft, figcaption, summary { color: var(--soft); font-size: .875em }
.asked { font-weight: 600 }
blockquote { margin: 0; font: 1.125em/1.5 "Source Serif 4", Charter, Georgia, serif;
  unicode-bidi: isolate; white-space: pre-wrap }
mark { background: light-dark(#ffe06b, #6f5708); color: inherit; text-decoration: underline }
cite { font-style: normal }
a { color: var(--accent) }
.box { padding: 1em; border: 1px dashed var(--edge); border-radius: 8px }
.failure { border: 1px solid; color: light-dark(#9b2318, #f4a89e) }
summary { margin-top: 1em; cursor: pointer }
@container (max-width: 15em) { .row { flex-direction: column } input { flex: none } }`;

const make = (tag, properties, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

// 13:32, or 1:13:32
const clock = (seconds) =>
  new Date(seconds * 1000).toISOString().slice(11, 19).replace(/^(00:)?0?/, "");

class Ask extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    this.words = WORDS[this.lang.slice(0, 2).toLowerCase()] ?? WORDS.en;
    this.asked = [];
    const { ask, label } = this.words;
    this.input = make("input", { ariaLabel: label, placeholder: label, maxLength: 2000 });
    this.status = make("p", { className: "soft", role: "status" });
    this.log = make("div", { role: "log" });
    // No form, since a sandboxed frame may not send one.
    this.input.onkeydown = (event) => {
      if (event.key === "Enter" && !event.isComposing) this.ask();
    };
    const button = make("button", { type: "button", onclick: () => this.ask() }, ask);
    const row = make("div", { className: "row", role: "search" }, this.input, button);
    const sheet = new CSSStyleSheet(); // a page's policy on styles lets it pass
    sheet.replaceSync(STYLE);
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.append(make("section", {}, row, this.status, this.log));
    this.input.value = this.getAttribute("question") ?? "";
    if (this.input.value) this.ask();
  }

  get server() {
    return this.getAttribute("server")?.replace(/\/*$/, "/") ?? new URL(".", from).href;
  }

  async ask() {
    const question = this.input.value.trim();
    if (!question) this.status.textContent = this.words.empty;
    if (!question || this.busy) return;
    this.busy = true;
    this.status.textContent = this.words.busy;
    const shown = await this.answer(question).catch((error) => this.failure(error.message));
    this.log.prepend(make("p", { className: "asked", dir: "auto" }, question), ...shown);
    this.busy = false;
  }

  async answer(question) {
    const words = this.words;
    if (origin === "null") throw Error(words.boxed);
    const [transcript, key] = ["transcript", "key"].map((name) => this.getAttribute(name) || null);
    const headers = { "Content-Type": "application/json" };
    if (key) headers.Authorization = `Bearer ${key}`;
    const body = JSON.stringify({ question, transcript, history: this.asked });
    const sent = fetch(`${this.server}api/v1/ask`, { method: "POST", headers, body });
    const got = await sent.catch(() => Promise.reject(Error(words.silent)));
    const said = await got.json().catch(() => ({}));
    if (!got.ok) throw Error(said.detail ?? `${words.failed} (${got.status})`);
    this.asked = [...this.asked, question].slice(-6);
    this.input.value = "";
    const { quotes, resolved_question: resolved } = said;
    const found = quotes.length;
    this.status.textContent = found ? words.found + found : words.none;
    const shown = found ? quotes.map((quote) => this.quote(quote, "mark")) : [this.refusal(said)];
    if (resolved !== question)
      shown.unshift(make("p", { className: "soft", dir: "auto" }, words.searched, resolved));
    return shown;
  }

  refusal({ nearest }) {
    const box = make("div", { className: "box" }, this.words.refusal);
    const quotes = nearest.map((quote) => this.quote(quote, "span"));
    const label = make("summary", {}, this.words.nearest);
    if (quotes.length) box.append(make("details", {}, label, ...quotes));
    return box;
  }

  failure(sentence) {
    this.status.textContent = this.words.failed;
    const out = this.link(this.server, this.words.open);
    return [make("p", { className: "box failure" }, sentence, " ", out)];
  }

  link(href, words) {
    return make("a", { href, target: "_blank", rel: "noopener" }, words);
  }

  quote({ id, text, start, end, answer, speaker, transcript, said_at: at }, tag) {
    const letters = [...text]; // offsets count code points
    const part = (a, b) => letters.slice(a - start, b - start).join("");
    const source = [
      speaker && make("b", { dir: "auto" }, speaker.name),
      speaker && this.words.by[speaker.basis],
      make("cite", { dir: "auto" }, transcript.title),
      transcript.date,
      at && clock(at[0]),
      this.link(`${this.server}q/${encodeURIComponent(id)}`, this.words.context),
    ].filter(Boolean);
    const words = make("blockquote", { dir: "auto", lang: transcript.language ?? "" });
    words.append(part(start, answer.start), make(tag, {}, answer.text), part(answer.end, end));
    const caption = source.flatMap((one, n) => (n ? [" · ", one] : [one]));
    return make("figure", {}, words, make("figcaption", {}, ...caption));
  }
}

customElements.get("on-record-ask") ?? customElements.define("on-record-ask", Ask);
})();
