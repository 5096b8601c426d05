-- Whose account it is where an OpenID provider says who someone is: `subject` is the provider's own name of that person, which never goes to
-- somebody else. Such an account has no password that could be right.
CREATE TABLE oidc (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    account BIGINT NOT NULL UNIQUE REFERENCES accounts (id) ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
);
