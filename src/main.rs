//! The door.
fn main() {
    #[expect(clippy::print_stdout, reason = "temporary")]
    {
        println!("{}", auth0_graphql::graphql::sdl());
    }
}
