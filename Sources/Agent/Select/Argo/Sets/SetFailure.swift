/// Why an `ApplicationSet` gives no Applications here.
enum SetFailure: Error {
    /// Git does not tell it: clusters, pull requests, other repositories. Only the generator gives nothing.
    case unknown(String)
    /// Argo CD fails, too, or what is written is not supported: the whole set gives nothing.
    case wrong(String)

    var reason: String {
        switch self {
        case .unknown(let reason), .wrong(let reason): reason
        }
    }
}
