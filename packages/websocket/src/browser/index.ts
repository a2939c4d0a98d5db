export * as BrowserCloseCode from "./BrowserCloseCode.ts"
export * as BrowserWebSocket from "./BrowserWebSocket.ts"
export { OpeningFailed } from "./OpeningFailed.ts"
export * as Page from "./Page.ts"
