// The page of the sandbox. It asks for the state once a second and changes only what differs, so that a half-written answer stays.
// Texts are set as textContent, never as HTML.

const EVERY_MS = 1000;
const TYPING_ENDS_MS = 4000;
const CHANNELS = { sms: "SMS", email: "E-mail" };
const TAPBACKS = ["love", "like", "dislike", "laugh", "emphasize", "question"];
const byId = (id) => document.getElementById(id);
const wall = byId("wall");
const cards = new Map();
let version = "";
let state = { devices: [], phones: [], numbers: [], mailboxes: [] };

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function pretty(number) {
  const parts = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number);
  return parts ? `+1 ${parts[1]} ${parts[2]} ${parts[3]}` : number;
}

function clock(at) {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error || `The sandbox answered ${answer.status}.`);
}

async function attempt(error, act) {
  error.textContent = "";
  try {
    await act();
    await refresh();
  } catch (problem) {
    error.textContent = problem.message;
  }
}

function phonePath(number, what) {
  return `phones/${encodeURIComponent(number)}/${what}`;
}

function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result.slice(reader.result.indexOf(",") + 1)));
    reader.addEventListener("error", () => reject(new Error(`${file.name} cannot be read.`)));
    reader.readAsDataURL(file);
  });
}

function send(from, to, text, files, error, onSent) {
  return attempt(error, async () => {
    const attachments = [];
    for (const file of files) attachments.push({ name: file.name, contentBase64: await base64Of(file) });
    await post(phonePath(from, "send"), attachments.length ? { to, text, attachments } : { to, text });
    onSent();
  });
}

// A person types from the first key on, until they send or pause.
function makeTyping(number, card) {
  let ends = 0;
  const tell = (typing) => post(phonePath(number, "typing"), { to: card.dataset.line, typing }).catch(() => {});
  const stop = () => {
    if (ends) tell(false);
    clearTimeout(ends);
    ends = 0;
  };
  const start = () => {
    if (!("types" in card.dataset)) return;
    if (!ends) tell(true);
    clearTimeout(ends);
    ends = setTimeout(stop, TYPING_ENDS_MS);
  };
  return { start, stop };
}

function sizeOf(bytes) {
  return bytes < 1024 ? `${bytes} B` : bytes < 1048576 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
}

function drawAttachment(file) {
  const link = element("a", file.isPicture ? "picture" : "file");
  link.href = file.url;
  if (file.isPicture) {
    const picture = element("img");
    picture.src = file.url;
    picture.alt = file.name;
    link.target = "_blank";
    link.append(picture);
  } else {
    link.download = file.name;
    link.append(element("span", "file-name", file.name), element("span", "file-size", sizeOf(file.size)));
  }
  return link;
}

// Only there a person can react, be seen typing, and be known to have read.
function isImessage(phone, bubble) {
  return bubble.channel === "imessage" && phone.lines.includes(bubble.line);
}

// Drawn, not written: not every machine has the emoji.
function drawTapback(name) {
  const drawing = byId(`tapback-${name}`).content.firstElementChild.cloneNode(true);
  drawing.setAttribute("aria-label", name);
  return drawing;
}

function drawReactions(phone, bubble, error) {
  const menu = element("details", "react");
  const opener = element("summary");
  opener.append(drawTapback("any"));
  opener.setAttribute("aria-label", "React");
  opener.title = "React";
  const choices = element("div", "choices");
  TAPBACKS.forEach((name) => {
    const isOn = bubble.tapbacks.includes(name);
    const choice = element("button");
    choice.append(drawTapback(name));
    choice.type = "button";
    choice.title = name;
    choice.setAttribute("aria-label", name);
    choice.setAttribute("aria-pressed", String(isOn));
    choice.addEventListener("click", () => attempt(error, () => post(phonePath(phone.number, "react"),
      { to: bubble.line, guid: bubble.guid, reaction: isOn ? `-${name}` : name })));
    choices.append(choice);
  });
  menu.append(opener, choices);
  return menu;
}

function drawStamp(phone, bubble, error) {
  const stamp = element("li", "stamp", bubble.receipt);
  if (bubble.receipt === "read" || !isImessage(phone, bubble)) return stamp;
  const button = element("button", "read", "mark read");
  button.type = "button";
  button.addEventListener("click", () => attempt(error, () => post(phonePath(phone.number, "read"), { to: bubble.line })));
  stamp.append(" · ", button);
  return stamp;
}

function drawBubble(phone, bubble, error) {
  const side = bubble.isOwn ? "own" : "theirs";
  const place = element("li", `place ${side}`);
  const shown = element("div", `bubble ${side}`);
  shown.title = new Date(bubble.at).toLocaleString();
  shown.append(...bubble.attachments.map(drawAttachment));
  if (bubble.attachments.length && !bubble.text) shown.classList.add("bare");
  if (bubble.subject) shown.append(element("strong", "subject", bubble.subject));
  if (bubble.text) shown.append(element("span", "words", bubble.text));
  place.append(shown);
  if (bubble.tapbacks.length) {
    const badge = element("span", "tapbacks");
    badge.append(...bubble.tapbacks.map(drawTapback));
    place.append(badge);
  }
  if (!bubble.isOwn && isImessage(phone, bubble)) place.append(drawReactions(phone, bubble, error));
  return place;
}

function makeCard(phone) {
  const card = byId("phone-card").content.firstElementChild.cloneNode(true);
  const form = card.querySelector("form");
  const input = form.elements.text;
  input.id = `answer-${phone.number}`;
  form.querySelector("label").htmlFor = input.id;
  form.querySelector("label").textContent = `Answer as ${phone.number}`;
  card.querySelector("h3").textContent = pretty(phone.number);
  card.querySelector("h3").title = phone.number;
  card.querySelector(".script").textContent = phone.script;
  card.querySelector(".bubbles").setAttribute("aria-label", `Texts on ${phone.number}`);
  const typing = makeTyping(phone.number, card);
  const chosen = form.querySelector(".chosen");
  const files = form.elements.files;
  const showChosen = () => {
    chosen.hidden = files.files.length === 0;
    chosen.textContent = [...files.files].map((file) => file.name).join(", ");
  };
  input.addEventListener("input", typing.start);
  files.addEventListener("change", showChosen);
  form.addEventListener("reset", () => setTimeout(showChosen));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    typing.stop();
    send(phone.number, card.dataset.line, input.value, files.files, card.querySelector(".error"), () => form.reset());
  });
  cards.set(phone.number, { card, shown: "", seen: new Set() });
  return cards.get(phone.number);
}

function drawBubbles(list, phone, seen, error) {
  const hadAny = seen.size > 0;
  const parts = [];
  let line = null;
  phone.bubbles.forEach((bubble, place) => {
    const said = [CHANNELS[bubble.channel], pretty(bubble.line)].filter(Boolean).join(" · ");
    if (said !== line) parts.push(element("li", "from", `${said} · ${clock(bubble.at)}`));
    line = said;
    const shown = drawBubble(phone, bubble, error);
    if (hadAny && !seen.has(bubble.guid)) shown.classList.add("fresh");
    seen.add(bubble.guid);
    parts.push(shown);
    if (bubble.receipt && place === lastTheirs(phone)) parts.push(drawStamp(phone, bubble, error));
  });
  if (phone.typing.length) {
    const dots = element("li", "typing", "•••");
    dots.title = `${phone.typing.map(pretty).join(", ")} is typing`;
    parts.push(dots);
  }
  list.replaceChildren(...parts);
  const toEnd = () => { list.scrollTop = list.scrollHeight; };
  // A picture has no height until it has come.
  list.querySelectorAll("img").forEach((picture) => picture.addEventListener("load", toEnd));
  toEnd();
}

function lastTheirs(phone) {
  return phone.bubbles.findLastIndex((bubble) => !bubble.isOwn);
}

function drawPhone(phone) {
  const kept = cards.get(phone.number) || makeCard(phone);
  const now = JSON.stringify([phone.bubbles, phone.typing, phone.lines]);
  const line = phone.lines[0] || "";
  kept.card.dataset.line = line;
  kept.card.toggleAttribute("data-types", phone.bubbles.some((bubble) => bubble.line === line && isImessage(phone, bubble)));
  kept.card.querySelector("form button").disabled = phone.lines.length === 0;
  kept.card.querySelector("form").elements.text.placeholder = phone.lines.length ? `Answer ${pretty(phone.lines[0])}` : "No line to answer";
  if (now !== kept.shown) drawBubbles(kept.card.querySelector(".bubbles"), phone, kept.seen, kept.card.querySelector(".error"));
  kept.shown = now;
  return kept.card;
}

function matches(phone, term) {
  const texts = [phone.number, pretty(phone.number), phone.script, ...phone.bubbles.map((bubble) => bubble.text)];
  return texts.some((text) => text.toLowerCase().includes(term));
}

function drawPhones() {
  const term = byId("find").value.trim().toLowerCase();
  const shown = state.phones.filter((phone) => matches(phone, term)).map(drawPhone);
  const hasFocus = wall.contains(document.activeElement);
  // While somebody types into a card the wall keeps its order, so that the card does not jump away from under the fingers.
  if (hasFocus) shown.filter((card) => !card.isConnected).forEach((card) => wall.prepend(card));
  else if (shown.length !== wall.children.length || shown.some((card, place) => wall.children[place] !== card)) {
    const tops = new Map(shown.map((card) => [card, card.querySelector(".bubbles")]));
    wall.replaceChildren(...shown);
    tops.forEach((list) => { list.scrollTop = list.scrollHeight; });
  }
  byId("empty").hidden = state.phones.length > 0;
  byId("more").hidden = !(term && shown.length === 0 && state.phones.length > 0);
  byId("more").textContent = "No phone matches.";
}

function drawDevices() {
  const focused = document.activeElement?.id;
  byId("devices").replaceChildren(...state.devices.map((device) => {
    const item = element("li");
    const about = element("div");
    about.append(element("strong", "", pretty(device.line)), element("span", "hint", device.facts.join(" · ")));
    const toggle = element("button", "switch", device.isUp ? "up" : "down");
    toggle.type = "button";
    toggle.id = `switch-${device.id}`;
    toggle.setAttribute("role", "switch");
    toggle.setAttribute("aria-checked", String(device.isUp));
    toggle.setAttribute("aria-label", `${device.title} of ${device.line}`);
    toggle.addEventListener("click", () => post(`devices/${device.id}`, { state: device.isUp ? "down" : "up" }).then(refresh));
    item.append(about, toggle);
    return item;
  }));
  if (focused?.startsWith("switch-")) byId(focused)?.focus();
  if (state.devices.length === 0) byId("devices").append(element("li", "hint", "None yet. Posthaste makes them when it starts."));
}

function drawLines() {
  const select = byId("write").elements.to;
  const lines = state.devices.map((device) => device.line);
  const shown = [...select.options].map((option) => option.value);
  if (lines.join() === shown.join()) return;
  const chosen = select.value;
  select.replaceChildren(...lines.map((line) => new Option(pretty(line), line)));
  if (lines.includes(chosen)) select.value = chosen;
}

async function copy(address, button) {
  await navigator.clipboard.writeText(address);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function drawScripts(list, scripts) {
  if (list.children.length) return;
  list.append(...scripts.map((scripted) => {
    const address = scripted.number || scripted.address;
    const item = element("li");
    const button = element("button", "copy", "Copy");
    button.type = "button";
    button.setAttribute("aria-label", `Copy ${address}`);
    button.addEventListener("click", () => copy(address, button));
    item.append(
      element("span", "name", scripted.script),
      element("span", "address", pretty(address)),
      element("span", "says", scripted.says),
      button,
    );
    return item;
  }));
}

function say(what, words) {
  byId("live").dataset.state = what;
  byId("live").textContent = words;
}

async function refresh() {
  try {
    const answer = await fetch(`state?version=${version}`, { cache: "no-store" });
    if (answer.status === 200) {
      state = await answer.json();
      version = state.version;
      drawPhones();
      drawDevices();
      drawLines();
      drawScripts(byId("numbers"), state.numbers);
      drawScripts(byId("mailboxes"), state.mailboxes);
    }
    say("live", "live");
  } catch {
    say("lost", "sandbox not reachable");
  }
}

async function watch() {
  await refresh();
  setTimeout(watch, EVERY_MS);
}

byId("find").addEventListener("input", drawPhones);
byId("write").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const { from, to, text, files } = form.elements;
  send(from.value, to.value, text.value, files.files, form.querySelector(".error"), () => { text.value = ""; files.value = ""; });
});
watch();
