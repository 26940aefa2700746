import Foundation
import Testing

/// What this process takes, as proc(5) tells it.
package enum ProcessMemory {
    /// Bytes that are its own, files that it maps not counted.
    package static func anonymous() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
        return try #require(line.split(separator: " ").compactMap { Int($0) }.first) << 10
    }
}
