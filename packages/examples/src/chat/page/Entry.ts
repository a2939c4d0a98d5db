/** The dialog by which one comes in: with a name at first, later to another room, or under another name. */
import { byId, setText } from "./dom.ts"

export interface Entering {
  readonly name: string
  readonly room: string
}

export class Entry {
  private readonly dialog = byId("entry", HTMLDialogElement)
  private readonly name = byId("name", HTMLInputElement)
  private readonly room = byId("room", HTMLInputElement)
  private readonly problem = byId("entry-problem", HTMLElement)
  private readonly cancel = byId("entry-cancel", HTMLButtonElement)

  constructor(enter: (entering: Entering) => void) {
    let entering: Entering | undefined
    this.dialog.querySelector("form")!.addEventListener("submit", (event) => {
      entering = { name: this.name.value.trim(), room: this.room.value.trim() }
      if (entering.name === "" || entering.room === "") event.preventDefault()
    })
    // Only then the dialog leaves the focus to others.
    this.dialog.addEventListener("close", () => {
      if (this.dialog.returnValue === "join" && entering !== undefined) enter(entering)
    })
    this.cancel.addEventListener("click", () => this.dialog.close())
    this.dialog.addEventListener("cancel", (event) => this.cancel.hidden && event.preventDefault())
  }

  /** Asks for a room, a name, or both; `problem` says why once more. Who is not in yet can't cancel. */
  ask(about: "both" | "room" | "name", { name, room }: Entering, problem = ""): void {
    this.name.value = name
    this.room.value = room
    this.cancel.hidden = about === "both" && problem === "" && name === ""
    setText(this.problem, problem)
    this.name.setAttribute("aria-invalid", `${problem !== ""}`)
    this.dialog.returnValue = ""
    if (!this.dialog.open) this.dialog.showModal()
    const first = about === "room" ? this.room : this.name
    first.focus()
    first.select()
  }
}
