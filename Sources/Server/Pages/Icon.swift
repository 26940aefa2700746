/// A picture beside a word. Never the only carrier of a meaning.
struct Icon: Sendable {
    let name: String

    init(_ state: PageState) { name = state.rawValue }
    private init(_ name: String) { self.name = name }

    static let cached = Icon("cached")
    static let waiting = Icon("waiting")
    static let copy = Icon("copy")
    static let download = Icon("download")
    static let sync = Icon("sync")
    static let stop = Icon("stop")

    var html: HTML { Tag.svg(.class("i"), .hidden) { Tag.use(.href(.place("i-\(name)"))) } }

    /// The symbols that `html` refers to; once a page.
    static let symbols = Tag.svg(.class("vh"), .hidden) {
        symbol("ok") {
            Tag.circle(.cx("8"), .cy("8"), .r("6.5"))
            Tag.path(.d("M4.9 8.2 7.1 10.400l4.200-4.600"))
        }
        symbol("building") {
            Tag.path(.d("M8 1.600a6.400 6.400 0 1 1-6.400 6.400"))
            Tag.circle(.cx("8"), .cy("8"), .r("1.600"))
        }
        symbol("queued") {
            Tag.circle(.cx("3"), .cy("8"), .r("1"))
            Tag.circle(.cx("8"), .cy("8"), .r("1"))
            Tag.circle(.cx("13"), .cy("8"), .r("1"))
        }
        symbol("failing") {
            Tag.path(
                .d(
                    "M5.400 1.600h5.200l3.800 3.800v5.200l-3.800 3.800H5.400l-3.800-3.800V5.400zM5.900 5.900l4.200 4.200m0-4.200-4.200 4.200"
                ))
        }
        symbol("stalled") { Tag.path(.d("M8 2 14.800 13.900H1.200zM8 6.400v3.300M8 11.800v.1")) }
        symbol("held") {
            Tag.circle(.cx("8"), .cy("3.100"), .r("1.600"))
            Tag.path(.d("M8 4.700V14M5.300 7h5.400M2.100 9.300C2.500 12 4.800 14 8 14s5.500-2 5.900-4.700"))
        }
        symbol("paused") {
            Tag.circle(.cx("8"), .cy("8"), .r("6.5"))
            Tag.path(.d("M6.300 5.700v4.600m3.400-4.600v4.600"))
        }
        symbol("unknown") {
            Tag.circle(.cx("8"), .cy("8"), .r("6.5"), .dashes("2.4 2.4"))
            Tag.path(.d("M6.300 6.400c0-2.300 3.500-2.300 3.500-.1 0 1.400-1.800 1.300-1.800 2.500m0 2.300v.1"))
        }
        symbol("cached") { Tag.path(.d("M3 8.500l3 3 7-7")) }
        symbol("waiting") { Tag.circle(.cx("8"), .cy("8"), .r("2.200"), .dashes("1.6 1.6")) }
        symbol("copy") { Tag.path(.d("M5.500 5.500h8v8.500h-8zM10.500 5.500V2h-8v8.500h3")) }
        symbol("sync") {
            Tag.path(
                .d(
                    "M13.500 8A5.500 5.500 0 0 1 3.600 11.300M2.500 8a5.500 5.500 0 0 1 9.900-3.300M12.600 1.800v3h-3M3.400 14.200v-3h3"
                ))
        }
        symbol("stop") { Tag.path(.d("M3.500 3.500h9v9h-9z")) }
        symbol("download") { Tag.path(.d("M8 2v8.500m0 0L4.500 7M8 10.500 11.500 7M2.500 13.500h11")) }
    }

    private static func symbol(_ name: String, @HTMLBuilder _ shape: () -> HTML) -> HTML {
        Tag.symbol(.id("i-\(name)"), .viewBox("0 0 16 16"), content: shape)
    }

    /// The ship's way, in the header.
    static let brand = Tag.svg(.class("ship"), .viewBox("0 0 24 24"), .hidden) {
        Tag.path(
            .d(
                "M2 15.500 22 21M4 7.500l15 4c.2 3-2.300 4.800-5.200 4L8 14C5.500 13.300 4 10.500 4 7.500zM9.500 9l1.300-5 4.200 1.200-1.300 5"
            ))
    }
}
