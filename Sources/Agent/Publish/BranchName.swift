/// Names of branches made from templates.
enum BranchName {
    /// Longer ones are cut, as Argo CD Image Updater does.
    static let limit = 255

    /// The text as a branch's name: what git does not allow in one becomes `-`; `nil` when nothing is left.
    static func made(from text: String) -> String? {
        var bytes = text.utf8.map { byte -> UInt8 in
            switch byte {
            case ...0x20, 0x7f, UInt8(ascii: "~"), UInt8(ascii: "^"), UInt8(ascii: ":"), UInt8(ascii: "?"),
                UInt8(ascii: "*"), UInt8(ascii: "["), UInt8(ascii: "\\"), UInt8(ascii: "@"), UInt8(ascii: "{"):
                UInt8(ascii: "-")
            default: byte
            }
        }
        bytes = Array(bytes.prefix(limit))
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: "/").map { part -> String in
            var part = String(part)
            while part.hasPrefix(".") || part.hasPrefix("-") { part.removeFirst() }
            while part.hasSuffix(".") || part.hasSuffix("-") { part.removeLast() }
            if part.hasSuffix(".lock") { part = String(part.dropLast(5)) + "-lock" }
            return part
        }.filter { !$0.isEmpty }
        let name = parts.joined(separator: "/")
        return name.isEmpty || name.contains("..") ? nil : name
    }

    /// With what names begin that are made from texts that begin so; empty where that cannot be told.
    static func prefix(of text: String) -> String { made(from: text + "x") == text + "x" ? text : "" }
}
