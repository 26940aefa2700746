import Glibc

enum AgentMemory {
    /// Where this process has its arguments and its environment, which the kernel shows in `/proc/PID/cmdline` to everyone:
    /// fields 48 to 51 of proc(5)'s stat.
    static let arguments: Range<UInt>? = {
        guard let text = IdentityMap.read("/proc/self/stat"), let name = text.lastIndex(of: ")") else { return nil }
        // Behind the name, which may hold anything, field 3 is the first one.
        let fields = text[text.index(after: name)...].split(separator: " ").map { UInt($0) }
        guard fields.count > 48, let start = fields[45], let end = fields[46], let environment = fields[47],
            let last = fields[48], start > 0, end > start
        else { return nil }
        return start..<(environment == end && last > end ? last : end)
    }()
}
