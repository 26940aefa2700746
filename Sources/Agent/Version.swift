/// The version as `--version` and the HTTP User-Agent give it.
package enum Version {
    package static let number = "0.1.0"
    package static var text: String { number }
    package static var userAgent: String { "slipway/\(number)" }
}
