// The report's list: drawn from the embedded data, filtered, grouped, searched. No network, no innerHTML: texts from
// Azure only ever become text nodes. What a finding shows must equal finding.html.j2 (a test compares them).
(async () => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const settings = JSON.parse($("settings").textContent);
  let lang = settings.lang;
  const _ = (text) => (settings.words[lang] || {})[text] || text;
  const put = (text, values) => text.replace(/\{(\w+)\}/g, (all, key) => (key in values ? values[key] : all));
  const number = (n) => n.toLocaleString(lang);
  // What findings say: a text, or [English template, facts…]. The page brings the other languages' of just these.
  const spoken = new Map();
  const learn = (words) => {
    for (const each in words) {
      if (!spoken.has(each)) spoken.set(each, new Map());
      for (const known of Object.entries(words[each])) spoken.get(each).set(...known);
    }
  };
  const say = (text) => (spoken.has(lang) && spoken.get(lang).get(text)) || text;
  const places = new Map();
  const tell = (said) => {
    if (typeof said === "string") return say(said);
    const [template, ...facts] = said;
    if (!places.has(template)) places.set(template, [...new Set([...template.matchAll(/\{(\w+)\}/g)].map((found) => found[1]))]);
    const values = Object.create(null);
    places.get(template).forEach((name, at) => {
      const fact = facts[at];
      if (fact !== null && fact !== undefined) values[name] = Array.isArray(fact) ? fact.map(say).join(settings.joins[lang] || ", ") : say(fact);
    });
    return put(say(template), values);
  };

  // ---- elements -----------------------------------------------------------------------------------------------
  const h = (tag, names, ...children) => {
    const made = document.createElement(tag);
    if (names) made.className = names;
    for (const child of children) if (child !== null && child !== undefined && child !== "") made.append(child);
    return made;
  };
  const icon = (name, more) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    svg.setAttribute("class", "i" + (more ? " " + more : ""));
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", "#i-" + name);
    svg.append(use);
    return svg;
  };
  const set = (made, values) => {
    for (const key in values) made.setAttribute(key, values[key]);
    return made;
  };
  const code = (text, names) => h("code", names || "", text);
  const sep = () => h("span", "sep");

  // ---- theme --------------------------------------------------------------------------------------------------
  const store = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("auditor-theme") || "auto";
      localStorage.setItem("auditor-theme", value);
    } catch (blocked) { /* a browser may refuse storage to files */ }
    return value || "auto";
  };
  const themes = ["auto", "light", "dark"];
  let theme = store();
  const dress = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    $("theme-text").textContent = { auto: _("System"), light: _("Light"), dark: _("Dark") }[theme];
    $("theme").setAttribute("aria-label", _("Colours") + ": " + $("theme-text").textContent);
  };
  $("theme").hidden = false;
  $("theme").addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    store(theme);
    dress();
  });
  dress();

  // ---- data ---------------------------------------------------------------------------------------------------
  const unpack = async (element) => {
    const packed = element.textContent;
    const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(packed) : Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };
  let data;
  try {
    data = await unpack($("index"));
  } catch (old) {
    // A browser without DecompressionStream: show what is written out for those without JavaScript.
    const plain = new DOMParser().parseFromString(document.querySelector("noscript").textContent, "text/html");
    document.querySelector("noscript").replaceWith(...plain.body.childNodes);
    return;
  }
  const { columns, texts } = data;
  learn(data.words);
  const count = data.count;
  const text = (name, at) => texts[name][columns[name][at]];
  const title = (at) => say(text("title", at));
  const message = (at) => {
    const said = columns.message[at];
    return typeof said === "string" ? say(said) : tell([texts.template[said[0]], ...said.slice(1)]);
  };
  const nameOf = (at) => columns.name[at] || columns.last[at];
  const idOf = (at) => text("parent", at) + "/" + columns.last[at];
  const outcome = (at) => data.outcomes[columns.outcome[at]];
  const severity = (at) => data.severities[columns.severity[at]];
  const drift = (at) => (columns.drift[at] < 0 ? "" : data.drifts[columns.drift[at]]);
  const packs = new Map();
  const details = async (at) => {
    const pack = Math.floor(at / data.pack);
    if (!packs.has(pack)) packs.set(pack, unpack($("pack-" + pack)).then((found) => { learn(found.words); return found.rows; }));
    return (await packs.get(pack))[at % data.pack];
  };

  // ---- words --------------------------------------------------------------------------------------------------
  const outcomeName = (key) => ({ fail: _("Fail"), warn: _("Warning"), unknown: _("Unknown"), pass: _("Pass"), "not-applicable": _("Not applicable") })[key];
  const severityName = (key) => ({ critical: _("Critical"), high: _("High"), medium: _("Medium"), low: _("Low"), info: _("Info") })[key];
  const driftName = (key) => ({ new: _("New"), changed: _("Changed"), unverified: _("No longer verified"), resolved: _("Resolved"), unchanged: _("Unchanged"), "": _("Not compared") })[key];
  const sectionName = (key) => ({
    new: _("New since the last run"), changed: _("Changed since the last run"), unverified: _("No longer verified"), resolved: _("Resolved since the last run"),
    "fail-critical": _("Critical violations"), "fail-high": _("High violations"), "fail-medium": _("Medium violations"), "fail-low": _("Low violations"), "fail-info": _("Informational violations"),
    warn: _("Warnings"), unknown: _("Unknown: what decides could not be read"), waived: _("Accepted by a waiver"), pass: _("As documented"), "not-applicable": _("Not applicable"),
  })[key];
  const inTongue = (words) => words[lang] || words.en;
  const lastOf = (id) => id.slice(id.lastIndexOf("/") + 1);
  const groupings = {
    triage: { name: () => _("Triage"), key: (at) => columns.section[at], label: (key) => sectionName(data.sections[key]), order: (a, b) => a - b },
    drift: { name: () => _("Drift"), key: (at) => ["new", "changed", "unverified", "resolved", "unchanged", ""].indexOf(drift(at)), label: (key) => driftName(["new", "changed", "unverified", "resolved", "unchanged", ""][key]), order: (a, b) => a - b },
    severity: { name: () => _("Severity"), key: (at) => columns.severity[at], label: (key) => severityName(data.severities[key]), order: (a, b) => a - b },
    outcome: { name: () => _("Outcome"), key: (at) => columns.outcome[at], label: (key) => outcomeName(data.outcomes[key]), order: (a, b) => a - b },
    check: { name: () => _("Check"), key: (at) => columns.check[at], label: (key) => texts.check[key], order: (a, b) => (texts.check[a] < texts.check[b] ? -1 : 1) },
    cluster: { name: () => _("Cluster"), key: (at) => columns.cluster[at], label: (key) => lastOf(texts.cluster[key]) || _("No cluster"), order: (a, b) => (!texts.cluster[a]) - (!texts.cluster[b]) || (lastOf(texts.cluster[a]) < lastOf(texts.cluster[b]) ? -1 : 1) },
    subscription: { name: () => _("Subscription"), key: (at) => columns.subscription[at], label: (key) => texts.subscription[key] || _("No subscription"), order: (a, b) => (texts.subscription[a] < texts.subscription[b] ? -1 : 1) },
  };

  for (const each of settings.frameworks) {
    const ids = Object.keys(each.controls);
    const keys = texts.check.map((check) => (each.checks[check] || []).map((control) => ids.indexOf(control)));
    const none = ids.length;
    groupings[each.id] = {
      name: () => inTongue(each.short),
      key: (at) => (keys[columns.check[at]].length ? keys[columns.check[at]] : none),
      label: (key) => (key === none ? _("No control of this framework") : ids[key] + " · " + inTongue(each.controls[ids[key]])),
      order: (a, b) => a - b,
    };
  }

  // ---- state and filtering ------------------------------------------------------------------------------------
  const facets = [
    { name: "drift", title: () => _("Drift"), of: (at) => drift(at) || "none", values: ["new", "changed", "unverified", "resolved", "unchanged"], label: driftName, skip: !settings.compared },
    { name: "outcome", title: () => _("Outcome"), of: outcome, values: ["fail", "warn", "unknown", "pass", "not-applicable"], label: outcomeName, icons: true },
    { name: "severity", title: () => _("Severity"), of: severity, values: data.severities, label: severityName },
    { name: "waiver", title: () => _("Waiver"), of: (at) => (columns.waived[at] ? "waived" : "open"), values: ["waived", "open"], label: (key) => ({ waived: _("Waived"), open: _("Not waived") })[key], skip: !columns.waived.some((w) => w) },
    { name: "subscription", title: () => _("Subscription"), of: (at) => text("subscription", at), values: [...texts.subscription].sort(), label: (key) => key || _("No subscription"), mono: true },
    { name: "check", title: () => _("Check"), of: (at) => text("check", at), values: [...texts.check].sort(), label: (key) => key, mono: true },
  ].filter((facet) => !facet.skip);
  for (const facet of facets) facet.chosen = new Set();
  let group = settings.groupBy in groupings ? settings.groupBy : "triage";
  let query = "";
  let shown = [];
  const words = []; // what is searched, lower case; made bit by bit while nobody searches
  const haystack = (upTo) => {
    for (let at = words.length; at < upTo; at++)
      words.push([title(at), message(at), idOf(at), nameOf(at), text("check", at), text("reason", at), text("part", at), columns.id[at], data.why[at] || ""].join("\n").toLowerCase());
    return words;
  };
  const ahead = () => {
    haystack(Math.min(count, words.length + 2000));
    if (words.length < count) setTimeout(ahead, 10);
  };
  const filter = () => {
    const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
    const found = wanted.length ? haystack(count) : null;
    for (const facet of facets) facet.counts = new Map();
    shown = [];
    for (let at = 0; at < count; at++) {
      if (found && !wanted.every((word) => found[at].includes(word))) continue;
      let misses = 0, missed = null;
      for (const facet of facets)
        if (facet.chosen.size && !facet.chosen.has(facet.of(at))) { misses++; missed = facet; if (misses > 1) break; }
      if (misses > 1) continue;
      // A facet counts what its other values would bring: rows that nothing but itself keeps out.
      for (const facet of misses ? [missed] : facets) {
        const value = facet.of(at);
        facet.counts.set(value, (facet.counts.get(value) || 0) + 1);
      }
      if (!misses) shown.push(at);
    }
  };

  // ---- a finding ----------------------------------------------------------------------------------------------
  const opened = new Set();
  const row = (given) => {
    const at = given < 0 ? ~given : given;
    const out = outcome(at), state = drift(at);
    const badges = h("span", "f-badges", h("span", "out", icon(out), outcomeName(out)));
    if (["fail", "warn", "unknown"].includes(out)) badges.append(" ", h("span", "sev sev-" + severity(at), severityName(severity(at))));
    if (state && state !== "unchanged") badges.append(" ", h("span", "dr d-" + state, icon(state), driftName(state)));
    if (columns.waived[at]) badges.append(" ", h("span", "wv", icon("waived"), _("Waived")));
    const where = h("span", "f-where", h("b", "", nameOf(at)));
    if (text("group", at)) where.append(sep(), text("group", at));
    if (text("subscription", at)) where.append(sep(), h("span", "subscription", text("subscription", at)));
    const summary = h("summary", "", badges, " ", h("span", "f-title", title(at)), " ", where, " ", h("span", "f-msg", message(at)));
    if (data.why[at]) summary.append(" ", h("span", "f-why", icon("clock"), h("span", "", data.why[at])));
    summary.append(icon("chevron", "chev"));
    const body = h("div", "f-body");
    const fold = h("details", "", summary, body);
    fold.addEventListener("toggle", () => {
      if (fold.open) { opened.add(at); fill(at, body); } else opened.delete(at);
    });
    if (opened.has(at)) fold.open = true;
    const article = h("article", "f o-" + out, fold);
    if (given >= 0) article.id = columns.id[at];
    return article;
  };
  const part = (title, names, ...children) => h("div", "part" + (names ? " " + names : ""), h("h4", "", title), ...children);
  const folded = (title, n, list) => h("details", "part trace", h("summary", "", title, n === null ? null : " ", n === null ? null : h("span", "n", number(n))), list);
  const copy = async (value, button, before) => {
    try {
      await navigator.clipboard.writeText(value);
    } catch (refused) { // a file may be refused the clipboard
      const area = set(h("textarea", "vh"), { "aria-hidden": "true" });
      area.value = value;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.lastChild.textContent = _("Copied");
    setTimeout(() => { button.lastChild.textContent = before; }, 1500);
  };
  const fill = async (at, body) => {
    if (body.firstChild || body.dataset.busy) return;
    body.dataset.busy = "1";
    const more = await details(at);
    const parts = [];
    if (more.waiver) parts.push(part(_("Waiver"), "waiver", h("p", "", more.waiver[1]), h("p", "quiet", _("accepted by"), " ", more.waiver[0], ", ", _("until"), " ", more.waiver[2])));
    const effect = more.effect;
    if (effect && (effect.added.length || effect.removed.length)) {
      const made = part(_("What the change does"), "");
      const list = (title, names, items) => made.append(h("p", "quiet", title), h("ul", "diff " + names, ...items.map((item) => h("li", "", code(item)))));
      if (effect.added.length) list(_("now also permitted"), "plus", effect.added);
      if (effect.removed.length) list(_("no longer permitted"), "minus", effect.removed);
      parts.push(made);
    }
    if (more.changes)
      parts.push(part(_("Who changed what"), "", h("ul", "changes", ...more.changes.map((change) => h("li", "",
        h("p", "", h("time", "", change[0]), sep(), h("b", "", change[1] || "?"), sep(), change[2]),
        h("p", "", code(change[3])),
        h("p", "", code(change[4], "was"), " → ", code(change[5], "is")))))));
    else if (more.unrecorded)
      parts.push(part(_("Who changed what"), "", h("p", "quiet", put(_("between {then} and {now}, no change record"), { then: more.unrecorded[0], now: more.unrecorded[1] }))));
    if (more.mend || more.commands) {
      const made = part(_("What to do"), "mend", more.mend ? h("p", "", tell(more.mend)) : null);
      for (const [line] of more.commands || []) {
        const button = set(h("button", "", icon("copy"), h("span", "", _("Copy"))), { type: "button" });
        button.addEventListener("click", () => copy(line, button, _("Copy")));
        made.append(h("div", "cmd", h("pre", "", code(line)), button));
      }
      parts.push(made);
    }
    if (more.evidence)
      parts.push(part(_("Evidence"), "", h("dl", "ev", ...more.evidence.map(([resource, path, value, note]) => h("div", "",
        h("dt", "", code(path), resource && resource !== idOf(at) ? set(h("span", "quiet of", resource.split("/").slice(-2).join("/")), { title: resource }) : null),
        h("dd", "", code(value), note ? h("span", "quiet", say(note)) : null))))));
    if (more.trace) parts.push(folded(_("How it was decided"), null, h("ol", "", ...more.trace.map((step) => h("li", "", tell(step[1]))))));
    if (effect && effect.items.length) parts.push(folded(_("What it permits in all"), effect.count, h("ul", "diff", ...effect.items.map((item) => h("li", "", code(item))))));
    const meta = h("dl", "meta");
    const fact = (title, ...children) => meta.append(h("div", "", h("dt", "", title), h("dd", "", ...children)));
    if (more.source) {
      const said = more.source.filter(Boolean).map(say).join(", ");
      fact(_("Required by"), more.link ? set(h("a", "", said), { href: more.link, rel: "noopener noreferrer", target: "_blank" }) : said);
    }
    fact(_("Check"), code(text("check", at)), sep(), code(text("reason", at)));
    const controls = settings.frameworks.flatMap((each) => (each.checks[text("check", at)] || []).map((control) => inTongue(each.short) + " " + control));
    if (controls.length) fact(_("Controls"), controls.join(", "));
    if (more.reasons) fact(_("Reasons"), more.reasons.join(", "));
    fact(_("Resource"), code(idOf(at)));
    if (text("part", at)) fact(_("Part"), code(text("part", at)));
    if (more.related) fact(_("Related"), ...more.related.flatMap((each) => [code(each), " "]));
    if ("confirmed" in more) fact(_("Confirmed"), more.confirmed ? _("read again from ARM") : _("could not be read again from ARM"));
    if (more.since) fact(_("Since"), more.since);
    fact(_("Finding"), set(h("a", "", code(columns.id[at])), { href: "#" + columns.id[at] }));
    parts.push(meta);
    body.replaceChildren(...parts);
    delete body.dataset.busy;
  };

  // ---- the list: blocks of rows that exist while they are near the window -----------------------------------------
  const BLOCK = 40, WHOLE = 500, ROW = 112; // rows a block; up to WHOLE rows all are drawn; ROW is a guess in px
  const blocks = new Map();
  let watcher = null;
  const draw = (block) => {
    const state = blocks.get(block);
    if (state.drawn) return;
    state.drawn = true;
    block.style.minHeight = "";
    block.replaceChildren(...state.rows.map(row));
  };
  const drop = (block) => {
    const state = blocks.get(block);
    if (!state.drawn || block.contains(document.activeElement) || block.querySelector("details[open]")) return;
    const height = block.offsetHeight;
    if (!height) return; // inside of a closed group: nothing was measured
    state.drawn = false;
    block.style.minHeight = height + "px";
    block.replaceChildren();
  };
  const list = h("div", "list");
  const closed = new Set();
  const folds = new Map();
  const render = () => {
    if (watcher) watcher.disconnect();
    blocks.clear();
    folds.clear();
    const way = groupings[group];
    const groups = new Map();
    for (const at of shown)
      [].concat(way.key(at)).forEach((key, again) => {
        if (!groups.has(key)) groups.set(key, []);
        groups.get(key).push(again ? ~at : at); // ~at: stands in an earlier group too, where its id is
      });
    const small = shown.length <= WHOLE;
    watcher = small ? null : new IntersectionObserver((seen) => {
      for (const each of seen) (each.isIntersecting ? draw : drop)(each.target);
    }, { rootMargin: "1500px 0px" });
    const narrowed = query || facets.some((facet) => facet.chosen.size);
    const made = [];
    for (const key of [...groups.keys()].sort(way.order)) {
      const rows = groups.get(key);
      const fold = h("details", "group", h("summary", "", icon("chevron", "chev"), h("h3", "", way.label(key), " ", h("span", "n", number(rows.length)))));
      const quiet = (group === "triage" && ["pass", "not-applicable"].includes(data.sections[key])) || (group === "outcome" && ["pass", "not-applicable"].includes(data.outcomes[key]));
      const name = group + " " + key;
      fold.open = closed.has(name) ? false : !quiet || Boolean(narrowed);
      fold.addEventListener("toggle", () => { if (fold.open) closed.delete(name); else if (!quiet) closed.add(name); });
      for (let start = 0; start < rows.length; start += BLOCK) {
        const block = h("div", "block");
        const part = rows.slice(start, start + BLOCK);
        blocks.set(block, { rows: part, drawn: false });
        folds.set(block, fold);
        block.style.minHeight = part.length * ROW + "px";
        if (small) draw(block);
        else watcher.observe(block);
        fold.append(block);
      }
      made.push(fold);
    }
    if (!made.length) made.push(h("p", "empty", count ? _("No finding matches.") : _("There are no findings.")));
    list.replaceChildren(...made);
  };
  addEventListener("beforeprint", () => { let left = WHOLE; for (const [block, state] of blocks) if (left > 0) { draw(block); left -= state.rows.length; } });

  // On paper nobody can unfold: the pictures that say something wrong are printed, and folded again.
  const unfolded = [];
  addEventListener("beforeprint", () => { for (const each of document.querySelectorAll(".picture:not([open])")) if (each.querySelector(".net-counts > span")) { each.open = true; unfolded.push(each); } });
  addEventListener("afterprint", () => { for (const each of unfolded.splice(0)) each.open = false; });

  // ---- tools --------------------------------------------------------------------------------------------------
  const status = set(h("span", ""), { role: "status" });
  const reset = set(h("button", "linkish", _("Clear filters")), { type: "button" });
  const search = set(h("input", ""), { type: "search", placeholder: _("Search"), autocomplete: "off", spellcheck: "false" });
  const select = h("select", "");
  const panel = h("div", "facets-in");
  const facetBox = h("details", "facets", h("summary", "", icon("chevron", "chev"), _("Filters")), panel);
  const script = set(h("button", "ghost", icon("down"), h("span", "", _("Remediation script"))), { type: "button" });
  const paintFacets = () => {
    for (const facet of facets)
      for (const [value, [label, box, n]] of facet.boxes) {
        const hits = facet.counts.get(value) || 0;
        n.textContent = number(hits);
        box.checked = facet.chosen.has(value);
        label.classList.toggle("zero", !hits);
      }
    status.textContent = shown.length === count ? put(count === 1 ? _("{n} finding") : _("{n} findings"), { n: number(count) }) : put(_("{n} of {m} findings"), { n: number(shown.length), m: number(count) });
    reset.hidden = !query && !facets.some((facet) => facet.chosen.size);
  };
  const update = () => { filter(); render(); paintFacets(); };
  const buildFacets = () => {
    panel.replaceChildren(...facets.map((facet) => {
      facet.boxes = new Map();
      const box = h("fieldset", "", h("legend", "", facet.title()));
      for (const value of facet.values) {
        const input = set(h("input", ""), { type: "checkbox", "data-facet": facet.name, value });
        const n = h("span", "n");
        const label = h("label", "o-" + value, input, h("span", facet.mono ? "mono" : "", facet.icons ? icon(value) : null, facet.icons ? " " : null, facet.label(value)), n);
        input.addEventListener("change", () => { if (input.checked) facet.chosen.add(value); else facet.chosen.delete(value); update(); });
        facet.boxes.set(value, [label, input, n]);
        box.append(label);
      }
      return box;
    }));
  };
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { query = search.value; update(); }, count > 5000 ? 120 : 0);
  });
  select.addEventListener("change", () => { group = select.value; render(); });
  const clear = () => { query = search.value = ""; for (const facet of facets) facet.chosen.clear(); update(); };
  reset.addEventListener("click", () => { clear(); search.focus(); });
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[data-facet]");
    const facet = link && facets.find((each) => each.name === link.dataset.facet);
    if (!facet) return;
    for (const each of facets) each.chosen.clear();
    query = search.value = "";
    facet.chosen.add(link.dataset.value);
    update();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    event.preventDefault();
    search.focus();
  });

  // ---- the remediation script: every line is shown, none runs unless asked for, one by one --------------------------
  script.addEventListener("click", async () => {
    const comment = (value) => "# " + value.replace(/[\r\n\u0085\u2028\u2029]+/g, " ");
    const lines = ["#!/bin/sh", comment("auditor: remediation for the findings shown in run " + settings.run + " of " + settings.startedAt + "."),
      "# Dry by default: shows each command and runs none. `sh FILE --apply` asks before each one.",
      "# Read it first. A command changes production; whoever runs it answers for it."];
    if (settings.azCloud) lines.push(comment("These commands are for another cloud than the default: az cloud set --name " + settings.azCloud));
    lines.push("set -eu", 'apply=no; [ "${1-}" = --apply ] && apply=yes', "step() {", "  printf '+ %s\\n' \"$1\"; shift", '  [ "$apply" = yes ] || return 0',
      "  printf 'run this? [y/N] '; read -r answer || answer=n", '  if [ "$answer" = y ]; then "$@"; else echo skipped; fi', "}", "");
    const quoted = (value) => "'" + value.replaceAll("'", "'\\''") + "'";
    let commands = 0;
    for (const at of shown) {
      if (["pass", "not-applicable"].includes(outcome(at))) continue;
      const more = await details(at);
      if (!more.commands) continue;
      lines.push(comment(columns.id[at] + " · " + severityName(severity(at)) + " · " + title(at)), comment(idOf(at)), comment(message(at)));
      if (columns.waived[at]) lines.push(comment(_("Waived") + ": " + more.waiver[1]));
      for (const [line, runnable] of more.commands) {
        if (runnable && !columns.waived[at]) { lines.push("step " + quoted(line) + " " + line); commands++; }
        else lines.push(comment(line));
      }
      lines.push("");
    }
    if (!commands) lines.push("# No finding shown has a command.", "");
    const url = URL.createObjectURL(new Blob([lines.join("\n")], { type: "text/x-shellscript" }));
    const link = set(h("a", ""), { href: url, download: "auditor-remediation.sh" });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  });

  // ---- deep links -----------------------------------------------------------------------------------------------
  const aim = () => {
    const at = columns.id.indexOf(decodeURIComponent(location.hash.slice(1)));
    if (at < 0) return;
    if (!shown.includes(at)) clear();
    opened.add(at);
    for (const [block, state] of blocks) {
      if (!state.rows.includes(at)) continue;
      folds.get(block).open = true;
      draw(block);
      const article = [...block.children].find((each) => each.id === columns.id[at]);
      article.querySelector("details").open = true;
      for (const other of document.querySelectorAll(".f.aim")) other.classList.remove("aim");
      article.classList.add("aim");
      article.scrollIntoView({ block: "start" });
      article.querySelector("summary").focus({ preventScroll: true });
    }
  };
  addEventListener("hashchange", aim);

  // ---- language, and putting it all up ------------------------------------------------------------------------------
  const label = () => {
    document.documentElement.lang = lang;
    for (const head of document.querySelectorAll(".l10n")) head.hidden = head.dataset.lang !== lang;
    for (const each of document.querySelectorAll("[data-t]")) each.textContent = _(each.dataset.t);
    for (const each of document.querySelectorAll("[data-said]")) each.textContent = say(each.dataset.said);
    select.replaceChildren(...settings.groupings.map((name) => set(h("option", "", groupings[name].name()), { value: name })));
    select.value = group;
    search.placeholder = _("Search titles, messages, resources, reasons");
    searchName.textContent = _("Search");
    groupName.textContent = _("Group by");
    reset.textContent = _("Clear filters");
    script.lastChild.textContent = _("Remediation script");
    facetBox.firstChild.lastChild.textContent = _("Filters");
    buildFacets();
    dress();
  };
  const searchName = h("span", "vh"), groupName = h("span", "");
  const app = $("app");
  app.className = "app";
  app.append(
    h("div", "tools", h("label", "searchbox", icon("search"), searchName, search), h("label", "groupby", groupName, select), script),
    facetBox,
    h("div", "results", h("p", "status", status, reset), list));
  const wide = matchMedia("(min-width: 1021px)");
  const unfold = () => { facetBox.open = wide.matches; };
  wide.addEventListener("change", unfold);
  unfold();
  label();
  update();
  app.hidden = false;
  const tongue = $("lang");
  if (tongue) {
    tongue.hidden = false;
    tongue.addEventListener("change", () => { lang = tongue.value; words.length = 0; label(); update(); });
  }
  aim();
  document.documentElement.dataset.ready = "1";
  setTimeout(ahead, 200);
})();
