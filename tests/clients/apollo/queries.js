import { gql } from '@apollo/client';

const PERSON = gql`
  fragment Person on User {
    userId
    name
    email
  }
`;

export const people = gql`
  query ApolloPeople($q: String!, $perPage: Int!) {
    users(q: $q, perPage: $perPage) {
      total
      nodes {
        ...Person
      }
    }
  }
  ${PERSON}
`;
