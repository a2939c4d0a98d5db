/**
 * Masks header values in the heads of HTTP at the beginning of a stream, byte by byte, so that it does not matter how it is cut.
 *
 *     start line --> name --> value --> name ... --> empty line --> start line of the next head
 *         |
 *         +--> no letters at its beginning: the stream is something else from here on
 */
const [cr, lf, colon, space, tab, star] = [0x0d, 0x0a, 0x3a, 0x20, 0x09, 0x2a]

const isUpper = (byte: number): boolean => byte >= 0x41 && byte <= 0x5a

export class HeadMask {
  private readonly names: ReadonlySet<string>
  /** Of a longer name only the beginning is kept, which is none of those that are masked. */
  private readonly longest: number
  private at: "start" | "line" | "name" | "value" | "over" = "start"
  private name = ""
  /** The value of the header is masked, also where it goes on in another line. */
  private masking = false

  constructor(names: ReadonlySet<string>) {
    this.names = names
    this.longest = Math.max(0, ...Array.from(names, ({ length }) => length)) + 1
  }

  /** The same bytes, or a copy in which there are asterisks. */
  of(bytes: Uint8Array): Uint8Array {
    let copy: Uint8Array | undefined
    for (let i = 0; i < bytes.length && this.at !== "over"; i++) {
      if (this.hides(bytes[i])) (copy ??= new Uint8Array(bytes))[i] = star
    }
    return copy ?? bytes
  }

  /** Whether the next byte is part of a secret. */
  private hides(byte: number): boolean {
    switch (this.at) {
      case "start":
        // There may be an empty line before a request (RFC 9112 section 2.2).
        if (byte !== cr && byte !== lf) this.at = isUpper(byte) ? "line" : "over"
        return false
      case "line":
        if (byte === lf) this.beginLine()
        return false
      case "name":
        this.readName(byte)
        return false
      default:
        if (byte === lf) this.beginLine()
        return this.masking && byte !== lf && byte !== cr && byte !== space && byte !== tab
    }
  }

  private beginLine(): void {
    this.at = "name"
    this.name = ""
  }

  private readName(byte: number): void {
    if (byte === lf) {
      if (this.name === "") this.at = "start"
      else this.beginLine()
    } else if (byte === colon) {
      // There should be no space before it, and some take it all the same (RFC 9112 section 5.1).
      this.masking = this.names.has(this.name.toLowerCase().trimEnd())
      this.at = "value"
    } else if (this.name === "" && (byte === space || byte === tab)) {
      // The value before it goes on (RFC 9112 section 5.2).
      this.at = "value"
    } else if (byte !== cr && this.name.length < this.longest) this.name += String.fromCharCode(byte)
  }
}
