import Archive

/// How many bytes a compressed layer or archive may unpack to: a small file can unpack to any size.
struct UnpackLimit: Sendable {
    /// What somebody asked for; `nil` goes by the size of what is unpacked.
    var wanted: Int64?

    /// For what this machine made itself.
    static let none = UnpackLimit(wanted: .max)

    /// Real archives shrink to a hundredth at the very best, but small ones may be anything.
    func bytes(ofSize size: Int64) -> Int64 {
        if let wanted { return wanted }
        let (product, overflow) = size.multipliedReportingOverflow(by: 200)
        return max(1 << 30, overflow ? .max : product)
    }
}
