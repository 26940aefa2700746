package import Logging
import Text

/// One line of the log before it is written: when, how bad, a constant message, and the rest by keys.
package struct LogRecord: Sendable {
    /// Keys of every line, which metadata cannot take.
    static let reserved = ["time", "level", "msg"]

    /// RFC 3339 in UTC, with milliseconds.
    package let time: String
    package let level: Logger.Level
    package let message: String
    /// In the order of their keys, which are unique and none of the reserved ones.
    package let fields: [(key: String, value: Logger.MetadataValue)]

    /// - Parameter milliseconds: since 1970.
    package init(
        milliseconds: Int64, level: Logger.Level, message: String, metadata: Logger.Metadata, error: (any Error)? = nil
    ) {
        time = Self.timestamp(milliseconds)
        self.level = level
        self.message = message
        var named = metadata
        if let error { named[Self.free("error", in: named)] = "\(error)" }
        for key in Self.reserved {
            guard let value = named.removeValue(forKey: key) else { continue }
            named[Self.free(key + "_", in: named)] = value
        }
        fields = named.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
    }

    /// A key that is not taken yet: underscores are appended.
    static func free(_ wanted: String, in taken: Logger.Metadata) -> String {
        var key = wanted
        while taken[key] != nil { key += "_" }
        return key
    }

    private static func timestamp(_ milliseconds: Int64) -> String {
        let rest = ((milliseconds % 1000) + 1000) % 1000
        let seconds = (milliseconds - rest) / 1000
        let digits = String(1000 + rest).dropFirst()
        return UTCDate(secondsSince1970: seconds).rfc3339.dropLast() + ".\(digits)Z"
    }
}
