import FoundationEssentials
import OCI
import Registry

extension BaseImage {
    /// 1980, before which the archives of some tools cannot go.
    static let timeOnScratch: Int64 = 315_532_800

    /// When the image was made, in seconds since 1970; images that say nothing sensible count as made in 1980.
    var newestTime: Int64 {
        guard let text = image.config.created,
            let date = try? Date(String(text.prefix { $0 != "." && $0 != "Z" }) + "Z", strategy: .iso8601)
        else { return Self.timeOnScratch }
        let seconds = date.timeIntervalSince1970
        guard seconds > Double(Self.timeOnScratch), seconds < 253_402_300_800 else { return Self.timeOnScratch }
        return Int64(seconds)
    }
}
