/** Where one writes: Enter says it, Shift and Enter begin another line. */
import { byId, setText } from "./dom.ts"

const limit = 2_000
/** How much has to be left for nobody to be told. */
const plenty = 200

export class Composer {
  private readonly text = byId("text", HTMLTextAreaElement)

  /** `say` gives whether there was room for it. */
  constructor(say: (text: string) => boolean) {
    const form = byId("composer", HTMLFormElement)
    const left = byId("left", HTMLElement)
    const counted = () => {
      const rest = limit - this.text.value.length
      setText(left, rest > plenty ? "" : `${rest} left`)
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault()
      const said = this.text.value.trim()
      const isTaken = said !== "" && say(said)
      if (isTaken) this.text.value = ""
      counted()
      if (said !== "" && !isTaken) setText(left, "Too much waits to be confirmed already")
      this.text.focus()
    })
    this.text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
      event.preventDefault()
      form.requestSubmit()
    })
    this.text.addEventListener("input", counted)
  }

  draw(room: string): void {
    this.text.placeholder = `Message #${room}`
  }

  focus(): void {
    this.text.focus()
  }
}
