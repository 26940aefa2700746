import OCI

/// A file beside the pages. Its name has its content's hash, so that it is never asked for twice.
struct Asset: Sendable, Equatable {
    let name: String
    let type: String
    let bytes: [UInt8]

    private init(_ stem: String, _ suffix: String, type: String, _ text: String) {
        bytes = Array(text.utf8)
        name = "\(stem)-\(Digest.sha256(of: bytes).encoded.prefix(12)).\(suffix)"
        self.type = type
    }

    var address: Address { .page([name]) }

    static let styleSheet = Asset("slipway", "css", type: "text/css; charset=utf-8", StyleSheet.text)
    static let script = Asset("slipway", "js", type: "text/javascript; charset=utf-8", PageScript.text)
    static let icon = Asset("icon", "svg", type: "image/svg+xml", IconFile.text)

    static func named(_ name: String) -> Asset? { [styleSheet, script, icon].first { $0.name == name } }
}

/// The icon of a browser's tab.
enum IconFile {
    static let text = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#3d9bd1" stroke-width="2" \
        stroke-linecap="round" stroke-linejoin="round"><path d="M2 15.5 22 21M4 7.500l15 4c.2 3-2.300 4.800-5.200 4L8 14C5.500 13.300 \
        4 10.500 4 7.500zM9.500 9l1.300-5 4.200 1.200-1.300 5"/></svg>
        """
}
