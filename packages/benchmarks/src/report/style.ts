/** How pictures look, in light and in dark mode: a contestant has the same colour everywhere, and ours are blue. */

interface Colours {
  readonly light: string
  readonly dark: string
}

const colours: Readonly<Record<string, Colours>> = {
  "ws": { light: "#7d8590", dark: "#8b949e" },
  "ws-plain": { light: "#afb8c1", dark: "#57606a" },
  "websocket": { light: "#bf8700", dark: "#d29922" },
  "effect": { light: "#8250df", dark: "#a371f7" },
  "bun": { light: "#e08a4f", dark: "#c9702f" },
  "raw": { light: "#5ba777", dark: "#3f8f5c" },
  "codec": { light: "#1b7c83", dark: "#39c5cf" },
  "batch": { light: "#0550c8", dark: "#388bfd" },
  "lent": { light: "#5b45d6", dark: "#8b7bff" },
  "message": { light: "#6cb0ff", dark: "#93c6ff" }
}

const ours = ["batch", "lent", "message", "codec"]

/** Whether it is to stand out. */
export const isOurs = (contestant: string): boolean => ours.includes(contestant)

const roles: Readonly<Record<string, Colours & { readonly as: "fill" | "stroke" }>> = {
  "text": { as: "fill", light: "#1f2328", dark: "#e6edf3" },
  ".about, .note, .tick, .axis": { as: "fill", light: "#59636e", dark: "#9198a1" },
  ".paper": { as: "fill", light: "#ffffff", dark: "#0d1117" },
  "rect.paper": { as: "stroke", light: "#d1d9e0", dark: "#30363d" },
  ".grid": { as: "stroke", light: "#e7ebef", dark: "#21262d" },
  ".one, .whisker, .goal": { as: "stroke", light: "#1f2328", dark: "#e6edf3" }
}

const rules = (mode: keyof Colours): string =>
  [
    ...Object.entries(colours).map(([id, colour]) => `.${id}{color:${colour[mode]}}`),
    ...Object.entries(roles).map(([selector, role]) => `${selector}{${role.as}:${role[mode]}}`)
  ].join("")

export const style = [
  "text{font:12px system-ui,-apple-system,\"Segoe UI\",\"Noto Sans\",Helvetica,Arial,sans-serif}",
  ".title{font-size:18px;font-weight:600}",
  ".about{font-size:13px}",
  ".name,.panel{font-size:13px;font-weight:600}",
  ".note,.tick{font-size:11px}",
  ".value{font-size:11px}",
  ".strong{font-weight:600}",
  "line,path{fill:none}",
  ".one{stroke-width:1.2}",
  ".whisker{stroke-width:1;opacity:.65}",
  ".goal{stroke-width:2.2}",
  ".limit{stroke-dasharray:5 4}",
  rules("light"),
  `@media (prefers-color-scheme:dark){${rules("dark")}}`
].join("")
