/** What pages and workers do: each function does one thing, and gives what it saw as plain data. */
export { chat } from "./chat.ts"
export { compliance } from "./compliance.ts"
export { counted, states, survive } from "./sessions.ts"
export { beating, closed, closing, drain, echo, hold, push, refusal } from "./sockets.ts"
