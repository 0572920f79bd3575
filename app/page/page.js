// The page's script: citations open their transcript, a few keys, copying. Nothing is rendered
// here; markup comes from the server. Gradio runs this as the body of a function when the panel
// (`element`) is on the page; `server.show(reference)` gives the panel's new markup.

const page = element.querySelector(".page");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const narrow = matchMedia("(max-width: 800px)");
const KEEP = "on-record-keep-ratings";
const unreachable =
  '<div class="reading problem" role="alert"><header><h2 tabindex="-1">The server does not answer' +
  '</h2></header><p class="note">Check that On Record is still running, then try again.</p></div>';

let opener = null; // where Esc returns to
let rating = null; // the button whose answer is being rated
let picked = ""; // words selected in the transcript when the mouse went down, which unselects them
let asked = 0; // transcripts asked for, so that a late one does not replace a newer

const question = () => document.querySelector("#question textarea");
// Looked up each time: Gradio loads the parts of the page in no certain order.
const inChat = (selector) => [...document.querySelectorAll("#chat " + selector)];
const citations = () => inChat("button.cite");
const isVisible = (node) => node && node.checkVisibility();

// --- The transcript ------------------------------------------------------------------------

function mark(label) {
  return label ? page.querySelector(".at-" + label) : null;
}

async function open(button, move) {
  const [, base, label] = /^(.*&n=)(\w*)$/.exec(button.value) ?? [null, "", ""];
  const shown = page.firstElementChild?.dataset.base;
  const turn = ++asked;
  if (!base || shown !== base || (label && !mark(label))) {
    let html = unreachable;
    page.setAttribute("aria-busy", "true");
    try {
      html = await server.show(button.value);
    } catch (error) {
      console.warn(error);
    }
    if (turn !== asked) return;
    props.value = html;
    await new Promise((done) => setTimeout(done));
    page.removeAttribute("aria-busy");
  }
  for (const other of citations()) other.classList.toggle("shown", other === button);
  if (button.matches(".cite")) opener = button;
  if (move || !narrow.matches) document.body.classList.add("reading-open");
  reveal(label, move);
}

function reveal(label, move) {
  const target = mark(label);
  const focus = target ?? page.querySelector("h2");
  if (target) {
    const distance = target.getBoundingClientRect().top - page.getBoundingClientRect().top;
    const top = page.scrollTop + distance - page.clientHeight / 3;
    page.scrollTo({ top, behavior: calm.matches ? "auto" : "smooth" });
    if (!calm.matches)
      for (const run of page.querySelectorAll(".at-" + label))
        run.animate([{ filter: "brightness(0.82) saturate(1.6)" }, { filter: "none" }], 900);
  } else page.scrollTo({ top: 0 });
  if (move) focus?.focus({ preventScroll: true });
}

// Esc: from the transcript back to its citation, from the question box to the last answer.
function back() {
  const here = document.activeElement;
  document.body.classList.remove("reading-open");
  if (here === question() && isVisible(opener)) opener.focus();
  else if (element.contains(here)) (isVisible(opener) ? opener : question()).focus();
}

// After an answer the server has put its first quote's transcript here already.
watch("value", () => {
  asked += 1;
  setTimeout(() => reveal(page.firstElementChild?.dataset.focus ?? "", false));
});

// --- The conversation ----------------------------------------------------------------------

let seen = "";

function tidy() {
  const box = document.getElementById("keep-ratings");
  if (box && !box.dataset.known) {
    box.dataset.known = "yes"; // Gradio has put it on the page now
    keepsRatings();
  }
  // Gradio labels each message with its markup, which a screen reader would read out.
  for (const message of inChat(":is([data-testid=user], [data-testid=bot])")) {
    const label = message.dataset.testid === "user" ? "Question" : "Answer";
    if (message.getAttribute("aria-label") !== label) message.setAttribute("aria-label", label);
  }
  for (const welcome of inChat(".placeholder-content")) welcome.removeAttribute("role");
  const now = `${inChat(".asked").length} ${inChat(".bot-row section").length}`;
  if (now === seen) return;
  seen = now;
  showExchange(inChat(".user-row").at(-1));
  opener = firstOfLast() ?? opener;
  for (const citation of citations()) citation.classList.toggle("shown", citation === opener);
}

// The last question stands at the top with its answer below: there is room made for that.
function showExchange(asking) {
  if (!asking) return;
  const log = asking.closest("[role=log]");
  const list = asking.closest(".message-wrap");
  const top = () => asking.getBoundingClientRect().top - list.getBoundingClientRect().top;
  list.style.minHeight = `${top() + log.clientHeight}px`;
  log.scrollTop = top();
}

function firstOfLast() {
  return inChat(".bot-row").at(-1)?.querySelector("button.cite");
}

new MutationObserver(tidy).observe(document.body, { childList: true, subtree: true });
tidy();

function say(sentence) {
  const status = document.querySelector("#status p");
  if (status) status.textContent = sentence;
}

// `text` may be a promise: a browser that lets only a click copy is asked while it is one.
async function toClipboard(text) {
  try {
    const written = async () => new Blob([await text], { type: "text/plain" });
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": written() })]);
  } catch {
    // Outside https and localhost there is no clipboard to write to, only a selection to copy.
    const here = document.activeElement;
    const held = document.createElement("textarea");
    held.value = await text;
    document.body.append(held);
    held.select();
    document.execCommand("copy");
    held.remove();
    here.focus();
  }
}

async function copy(button) {
  await toClipboard(button.value);
  say("Copied with its citation.");
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1600);
}

// One of the forms of a quote, which its permalink gives.
async function copyAs(button) {
  const menu = button.closest("details");
  const form = button.textContent;
  try {
    await toClipboard(citation(button.value));
    say(`Copied as ${form}.`);
  } catch (error) {
    say(`Not copied: ${error.message}`);
  }
  closeMenu(menu);
}

async function citation(name) {
  const got = await fetch(`q/${name}`).catch(() => null);
  if (got?.ok) return got.text();
  const problem = await got?.json().catch(() => null);
  throw new Error(problem?.detail ?? "the server does not answer.");
}

function closeMenu(menu) {
  menu.open = false;
  menu.querySelector("summary").focus();
}

function step(by) {
  const all = citations();
  if (!all.length) return;
  const here = all.indexOf(document.activeElement);
  const at = here >= 0 ? here + by : all.indexOf(opener);
  const next = all[Math.min(Math.max(at, 0), all.length - 1)];
  next.focus();
  if (!narrow.matches) open(next, false);
}

// --- Ratings -------------------------------------------------------------------------------

// Nothing is sent unless the box "Keep my ratings" is ticked; this browser remembers that it was.
function keepsRatings(now) {
  if (now !== undefined) localStorage.setItem(KEEP, now ? "yes" : "");
  const keeps = localStorage.getItem(KEEP) === "yes";
  document.body.classList.toggle("keeps-ratings", keeps);
  const box = document.getElementById("keep-ratings");
  if (box) box.checked = keeps;
}

function selectedWords() {
  const selected = getSelection();
  return page.contains(selected.anchorNode) ? selected.toString().trim() : "";
}

function correct(button) {
  rating = button;
  const dialog = document.getElementById("correction");
  const said = new URLSearchParams(button.value).get("a");
  dialog.querySelector(".rated-question").textContent = said;
  dialog.querySelector("textarea").value = selectedWords() || picked;
  dialog.returnValue = "";
  dialog.showModal();
}

async function rate(button, verdict, correction, nobody) {
  let said;
  try {
    said = await server.rate(
      JSON.stringify({ rated: button.value, verdict, correction, nobody }),
    );
  } catch (error) {
    console.warn(error);
    said = "Not kept: the server does not answer.";
  }
  if (said.startsWith("Kept"))
    for (const other of button.closest(".rate").querySelectorAll("button"))
      other.setAttribute("aria-pressed", other === button);
  say(said);
}

function corrected(dialog) {
  const words = dialog.querySelector("textarea").value.trim();
  const how = dialog.returnValue;
  if (!["words", "nobody", "unknown"].includes(how)) return rating.focus();
  rate(rating, "wrong", how === "words" ? words : "", how === "nobody");
  rating.focus();
}

// --- Keys and clicks -----------------------------------------------------------------------

document.addEventListener("click", (event) => {
  for (const menu of inChat(".forms[open]")) menu.open = menu.contains(event.target);
  const button = event.target.closest?.("button");
  if (!button) return;
  if (button.matches("#chat .cite, .record .open, #masthead .open")) open(button, true);
  else if (button.matches("#chat .copy")) copy(button);
  else if (button.matches("#chat .copy-as")) copyAs(button);
  else if (button.matches("#chat .rate-right")) rate(button, "right", "", false);
  else if (button.matches("#chat .rate-wrong")) correct(button);
  else if (button.matches(".record .close")) back();
  else if (button.matches("#keys-open")) document.getElementById("keys").showModal();
  else if (button.matches("#fresh")) question().focus();
});

document.addEventListener("pointerdown", () => (picked = selectedWords()), true);

document.addEventListener("change", (event) => {
  if (event.target.id === "keep-ratings") keepsRatings(event.target.checked);
});

// An open menu is all in view. "toggle" does not bubble.
document.addEventListener(
  "toggle",
  (event) =>
    event.target.matches("#chat .forms[open]") &&
    event.target.querySelector(".menu").scrollIntoView({ block: "nearest" }),
  true,
);

// Nor does a dialog's "close".
document.addEventListener(
  "close",
  (event) => event.target.id === "correction" && corrected(event.target),
  true,
);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  const menu = event.target.closest?.("#chat .forms[open]");
  if (event.key === "Escape") return menu ? closeMenu(menu) : back();
  if (event.target.matches("input, textarea, select, [contenteditable]")) return;
  const actions = {
    "/": () => question().focus(),
    "?": () => document.getElementById("keys").showModal(),
    j: () => step(1),
    k: () => step(-1),
    c: () => {
      const here = document.activeElement;
      const cited = here?.matches(".cite") ? here : opener;
      const button = cited?.parentElement.querySelector(".copy");
      if (isVisible(button)) copy(button);
    },
  };
  if (!Object.hasOwn(actions, event.key)) return;
  event.preventDefault();
  actions[event.key]();
});
