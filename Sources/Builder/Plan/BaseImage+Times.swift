import FoundationEssentials
import OCI
import Registry

extension BaseImage {
    /// 1980, before which the archives of some tools cannot go.
    static let timeOnScratch: Int64 = 315_532_800

    /// When the image was made, in seconds since 1970; images that say nothing sensible count as made in 1980.
    var newestTime: Int64 {
        guard let seconds = image.config.created.flatMap(Self.seconds), seconds > Self.timeOnScratch else {
            return Self.timeOnScratch
        }
        return seconds
    }

    /// Reads an RFC 3339 time in UTC; `nil` for what is none, or beyond the year 9999.
    static func seconds(_ text: String) -> Int64? {
        guard let date = try? Date(String(text.prefix { $0 != "." && $0 != "Z" }) + "Z", strategy: .iso8601) else {
            return nil
        }
        let seconds = date.timeIntervalSince1970
        guard seconds >= 0, seconds < 253_402_300_800 else { return nil }
        return Int64(seconds)
    }
}
